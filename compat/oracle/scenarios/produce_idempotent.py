"""Idempotent producers: sequences, retries, epochs; and InitProducerId, where their ids come from."""

from __future__ import annotations

from typing import Any

from compat.oracle.batches import batch, patched
from compat.oracle.requests import fetch, part, produce
from compat.oracle.run import Run, scenario
from kstream.wire.messages.init_producer_id import InitProducerIdRequest

VERSIONS = range(3, 14)


def _new_id(run: Run) -> int:
    answer = run.until(InitProducerIdRequest(transactional_id=None), 4, lambda answer: answer.error_code == 0)
    return int(answer.producer_id)


class _Producer:
    """Builds the batches of one producer id."""

    def __init__(self, run: Run) -> None:
        self.id = _new_id(run)

    def batch(self, sequence: int, count: int = 1, epoch: int = 0, **how: Any) -> bytes:
        values = [b"v"] * count
        return batch(*values, producer_id=self.id, producer_epoch=epoch, base_sequence=sequence, **how)


@scenario
def idempotent_sequences(run: Run) -> None:
    """In order, again, with a gap, backwards; retries get the offset of the first time."""
    for version in VERSIONS:
        topic = run.topic(f"v{version}")
        producer = _Producer(run)

        def send(note: str, records: bytes) -> None:
            run.call(note, produce((topic, 0, records)), version)  # noqa: B023

        send("starts at 1", producer.batch(1))
        send("starts at 0", producer.batch(0, 2))
        send("the same again", producer.batch(0, 2))
        send("a part of it again", producer.batch(0, 1))
        send("its other part", producer.batch(1, 1))
        send("next", producer.batch(2, 3))
        send("next again", producer.batch(2, 3))
        send("the first again", producer.batch(0, 2))
        send("a gap", producer.batch(6))
        send("what was missing", producer.batch(5))
        for sequence in range(6, 10):
            send(f"sequence {sequence}", producer.batch(sequence))
        send("five ago, still known", producer.batch(5))
        send("six ago, forgotten", producer.batch(2, 3))
        send("longer than it was", producer.batch(9, 2))
        send("sequence -1", producer.batch(-1))
        send("sequence 0 in the same epoch", producer.batch(0))
        run.call(f"what v{version} wrote", fetch((topic, [part()])), 12)


@scenario
def idempotent_epochs(run: Run) -> None:
    """A new epoch starts at sequence 0 and ends the old one (47)."""
    for version in VERSIONS:
        topic = run.topic(f"v{version}")
        producer = _Producer(run)
        for note, records in (
            ("epoch 0", producer.batch(0)),
            ("epoch 1 from 5", producer.batch(5, epoch=1)),
            ("epoch 1 from 1", producer.batch(1, epoch=1)),
            ("epoch 1 from 0", producer.batch(0, epoch=1)),
            ("epoch 0 is over", producer.batch(1)),
            ("epoch 0 again", producer.batch(0)),
            ("epoch 1 goes on", producer.batch(1, epoch=1)),
            ("epoch 30000", producer.batch(0, epoch=30000)),
            ("epoch -1", producer.batch(0, epoch=-1)),
        ):
            run.call(note, produce((topic, 0, records)), version)


@scenario
def idempotent_strangers(run: Run) -> None:
    """Producer ids the partition has never seen, and odd combinations."""
    topic = run.topic("a")
    for version in VERSIONS:
        for note, sequence, epoch in (("from 0", 0, 0), ("from 7", 7, 0), ("from 7 in epoch 3", 7, 3)):
            producer = _Producer(run)
            run.call(f"stranger {note}", produce((topic, 0, producer.batch(sequence, epoch=epoch))), version)
            run.call(
                f"stranger {note}, again", produce((topic, 0, producer.batch(sequence, epoch=epoch))), version
            )
        producer = _Producer(run)
        run.call("wraps", produce((topic, 0, producer.batch(2**31 - 2, 4))), version)
        run.call("wrapped", produce((topic, 0, producer.batch(2))), version)
        invented = patched(producer.batch(0), producer_id=2**60)
        run.call("an id that nobody gave", produce((topic, 0, invented)), version)
        transactional = producer.batch(3, is_transactional=True)
        run.call("transactional, and no transaction", produce((topic, 0, transactional)), version)


@scenario
def idempotent_two_partitions(run: Run) -> None:
    """Sequences are counted by partition."""
    topic = run.topic("a", partitions=2)
    for version in VERSIONS:
        producer = _Producer(run)
        both = produce((topic, 0, producer.batch(0)), (topic, 1, producer.batch(0)))
        run.call("both from 0", both, version)
        run.call("both again", both, version)
        uneven = produce((topic, 0, producer.batch(1)), (topic, 1, producer.batch(2)))
        run.call("one with a gap", uneven, version)


@scenario
def init_producer_id(run: Run) -> None:
    """Ids for idempotent producers, new ones and with what a producer had before."""
    for version in range(6):
        for timeout_ms in (0, -1, 60_000, 2**31 - 1):
            request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=timeout_ms)
            run.call(f"timeout {timeout_ms}", request, version)
        run.call("another", InitProducerIdRequest(transactional_id=None), version)
        run.call("empty transactional id", InitProducerIdRequest(transactional_id=""), version)
        if version < 3:
            continue
        had = _new_id(run)
        for note, producer_id, epoch in (
            ("what it had", had, 0),
            ("what it had, epoch 5", had, 5),
            ("what it had, largest epoch", had, 32767),
            ("an id without an epoch", had, -1),
            ("an epoch without an id", -1, 0),
            ("an invented id", 2**60, 3),
            ("a negative id", -2, 0),
            ("a negative epoch", had, -2),
        ):
            request = InitProducerIdRequest(
                transactional_id=None, producer_id=producer_id, producer_epoch=epoch
            )
            run.call(note, request, version)
