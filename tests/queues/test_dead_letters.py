"""Dead letters that the broker did not get round to, and nobody who comes to fetch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio

from kstream.broker.dead_letters import DeadLetterWriter
from kstream.testing import Broker
from kstream.wire.messages.write_share_group_state import (
    PartitionData,
    StateBatch,
    WriteShareGroupStateRequest,
    WriteStateData,
)
from tests.queues.worker import ACCEPT, REJECT, Worker, configure, connect

ARCHIVING = 3


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker(["jobs"]) as running:
        running.topic("dlq.jobs", errors_deadletterqueue_group_enable="true")
        with connect(running) as client:
            configure(client, "workers", errors_deadletterqueue_topic_name="dlq.jobs")
        yield running


def letters(broker: Broker) -> list[tuple[bytes | None, bytes | None]]:
    """Of each dead letter, of which record it is and why."""
    said = [dict(letter.headers) for letter in broker.records("dlq.jobs")]
    return [(each["__dlq.errors.offset"], each["__dlq.errors.message"]) for each in said]


def _in_memory(broker: Broker) -> int:
    """How many share partitions the broker holds."""
    return len(broker._running.broker.shares)


async def _never(*_: object) -> None:
    await trio.sleep_forever()


def test_letters_that_a_crash_left_unwritten_are_written_at_the_start(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in ("poison", "fine", "poison too"):
        broker.produce("jobs", value)
    with Worker(broker, "workers", "jobs") as worker, monkeypatch.context() as writing:
        writing.setattr(DeadLetterWriter, "write", _never)
        worker.fetch(3)
        worker.fetch(settle={0: REJECT, 1: ACCEPT, 2: REJECT})
        broker.crash()
    broker.restart()
    reason = b"Offset rejected by client."
    broker.wait_for(lambda: letters(broker) == [(b"0", reason), (b"2", reason)])
    broker.wait_for(lambda: _in_memory(broker) == 0)
    broker.restart()
    broker.wait_for(lambda: letters(broker) == [(b"0", reason), (b"2", reason)])


def test_what_expired_before_anybody_had_it_says_so_also_after_a_crash(broker: Broker) -> None:
    broker.produce("jobs", "old")
    with Worker(broker, "workers", "jobs") as worker:
        part = PartitionData(
            partition=0,
            state_epoch=0,
            leader_epoch=0,
            start_offset=0,
            delivery_complete_count=0,
            state_batches=[
                StateBatch(first_offset=0, last_offset=0, delivery_state=ARCHIVING, delivery_count=0)
            ],
        )
        data = WriteStateData(topic_id=worker.topic_id, partitions=[part])
        request = WriteShareGroupStateRequest(group_id="workers", topics=[data])
        assert worker.client.request(request, 1).results[0].partitions[0].error_code == 0
    broker.crash()
    broker.restart()
    broker.wait_for(lambda: letters(broker) == [(b"0", b"Record expired.")])
