"""Each version of each request of a transaction, and AddPartitionsToTxn for several transactions at once."""

from __future__ import annotations

from typing import Any

from compat.oracle.requests import NO_TOPIC
from compat.oracle.run import Run, Topic, scenario
from compat.oracle.scenarios.transactions import Transactor, coordinated_group, partitions_in_order
from kstream.wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest
from kstream.wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTransaction,
)

_CLASSIC = 4


@scenario
def transactions_in_each_version(run: Run) -> None:
    """InitProducerId 0-5, AddPartitionsToTxn 0-3, AddOffsetsToTxn 0-4, EndTxn 0-5, with what each refuses."""
    topic = run.topic("t", partitions=2)
    group = coordinated_group(run)
    one = Transactor(run, "one")
    for version in range(6):
        one.init(f"v{version}", version=version)
        if version >= 3:
            one.init(f"goes on, v{version}", one.producer_id, one.epoch, version=version)
            one.init(f"fenced, v{version}", one.producer_id, one.epoch - 2, version=version)
            one.init(f"wrong id, v{version}", one.producer_id + 10_000, 0, version=version)
        for timeout_ms in (0, 900_001):
            one.init(f"timeout {timeout_ms}, v{version}", timeout_ms=timeout_ms, version=version)
    for version in range(4):
        one.add(f"v{version}", topic, (0, 1), version=version)
        one.add(f"wrong id, v{version}", topic, producer_id=one.producer_id + 10_000, version=version)
        one.add(f"old epoch, v{version}", topic, epoch=one.epoch - 1, version=version)
    for version in range(5):
        for note, producer_id, epoch in (
            ("", one.producer_id, one.epoch),
            ("wrong id, ", one.producer_id + 10_000, one.epoch),
            ("old epoch, ", one.producer_id, one.epoch - 1),
        ):
            request = AddOffsetsToTxnRequest(
                transactional_id=one.id, producer_id=producer_id, producer_epoch=epoch, group_id=group
            )
            run.call(f"add group {note}v{version}", request, version)
    for version in range(5):
        one.end(f"wrong id, v{version}", producer_id=one.producer_id + 10_000, version=version)
        one.end(f"old epoch, v{version}", epoch=one.epoch - 1, version=version)
        one.end(f"future epoch, v{version}", epoch=one.epoch + 1, version=version)
        one.end(f"commit, v{version}", version=version)
        one.end(f"abort after commit, v{version}", commit=False, version=version)
        one.add(f"for the next, v{version}", topic)
        one.end(f"abort, v{version}", commit=False, version=version)
        one.add(f"for the one after, v{version}", topic)
    one.end("newer", version=5)
    one.describe("last")


@scenario
def transactions_added_together(run: Run) -> None:
    """AddPartitionsToTxn 4 and 5 for many transactions: each has its own answer.

    One without any transaction is not asked for: Kafka never answers it. Neither is one that names a
    transaction twice, of which Kafka forgets the first.
    """
    topic = run.topic("t", partitions=3)
    producers = [Transactor(run, name) for name in ("one", "two", "three")]
    for producer in producers:
        producer.init("first")
    one, two, three = producers

    def wanted(
        producer: Transactor,
        *topics: tuple[Topic, list[int]],
        epoch: int = 0,
        verify_only: bool = False,
        other_id: int = 0,
    ) -> AddPartitionsToTxnTransaction:
        return AddPartitionsToTxnTransaction(
            transactional_id=producer.id,
            producer_id=producer.producer_id + other_id,
            producer_epoch=epoch,
            verify_only=verify_only,
            topics=[AddPartitionsToTxnTopic(name=each.name, partitions=indexes) for each, indexes in topics],
        )

    def in_order(answer: Any) -> None:
        partitions_in_order(answer)
        answer.results_by_transaction.sort(key=lambda result: result.transactional_id)
        for result in answer.results_by_transaction:
            result.topic_results.sort(key=lambda topic: topic.name)

    def ask(note: str, *transactions: AddPartitionsToTxnTransaction, version: int) -> None:
        request = AddPartitionsToTxnRequest(transactions=list(transactions))
        run.call(note, request, version, trim=in_order)

    for version in (4, 5):
        ask(
            f"one wrong, v{version}",
            wanted(one, (topic, [0])),
            wanted(two, (topic, [0, 1]), epoch=7),
            wanted(three, (topic, [2])),
            version=version,
        )
        ask(
            f"verified and added, v{version}",
            wanted(one, (topic, [0, 1]), verify_only=True),
            wanted(two, (topic, [1])),
            wanted(three, (topic, [2]), other_id=10_000),
            version=version,
        )
        ask(
            f"unknown topics and partitions, v{version}",
            wanted(one, (topic, [0, 9])),
            wanted(two, (NO_TOPIC, [0]), (topic, [2])),
            wanted(three, (topic, [1])),
            version=version,
        )
        ask(f"no topics, v{version}", wanted(one), version=version)
        for producer in producers:
            producer.describe(f"v{version}")
    one.end("commit", version=_CLASSIC)
    two.end("abort", commit=False, version=_CLASSIC)
