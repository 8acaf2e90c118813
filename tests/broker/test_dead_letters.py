"""Dead letters of share groups: what they say, where they may go, and that nothing hangs on them."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from kstream.broker.broker import Broker
from kstream.broker.dead_letters import DeadLetterFailure, DeadLetterWriter, Destination
from kstream.broker.metadata.create_topics import NewTopic, create_topics
from kstream.log.partition import AppendResult
from kstream.records.batch import iter_headers, read_header
from kstream.records.builder import build_batch
from kstream.records.record import Record, iter_records
from kstream.shares.changes import Cause, DeadLetters
from kstream.shares.state_store import ShareKey
from tests.api.data_plane import opened

ENABLED = (("errors.deadletterqueue.group.enable", "true"),)


async def _topic(broker: Broker, name: str, *configs: tuple[str, str], partitions: int = 1) -> None:
    wanted = NewTopic(name, num_partitions=partitions, configs=configs)
    (created,) = await broker.metadata.update(lambda image: create_topics(image, broker.config, [wanted]))
    assert created.error is None


async def _append(broker: Broker, *values: bytes) -> AppendResult:
    partition = await broker.partitions.get("jobs", 0)
    batch = build_batch([(1, b"k", value) for value in values])
    return await partition.append(batch, (read_header(batch),), now_ms=1)


async def _write(broker: Broker, dead: DeadLetters, destination: Destination, *, index: int = 0) -> None:
    writer = DeadLetterWriter(
        broker.config, partitions=broker.partitions, metadata=broker.metadata, clock=broker.clock
    )
    source = await broker.partitions.get("jobs", index)
    await writer.write(ShareKey("g", source.topic_id, index), source, dead, destination)


async def _read(broker: Broker, name: str, index: int = 0) -> list[Record]:
    partition = await broker.partitions.get(name, index)
    found = partition.log.read(0, 1 << 20)
    view, position = found.view(), 0
    records: list[Record] = []
    for header in iter_headers(view):
        records += iter_records(view, position, header=header)
        position += header.size_bytes
    return records


def test_a_letter_says_where_its_record_is_and_why_it_was_given_up(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            await _topic(broker, "jobs")
            await _topic(broker, "dlq.jobs", *ENABLED)
            await _append(broker, b"a", b"b", b"c")
            dead = DeadLetters(1, 2, 5, Cause.DELIVERED_TOO_OFTEN)
            await _write(broker, dead, Destination("dlq.jobs", copies_records=False))
            await _write(broker, dead._replace(first_offset=2), Destination("dlq.jobs", copies_records=True))

            one, two, copied = await _read(broker, "dlq.jobs")
            assert one.headers == (
                ("__dlq.errors.topic", b"jobs"),
                ("__dlq.errors.partition", b"0"),
                ("__dlq.errors.offset", b"1"),
                ("__dlq.errors.group", b"g"),
                ("__dlq.errors.delivery.count", b"5"),
                ("__dlq.errors.message", b"Offset delivery count exceeded the threshold."),
            )
            assert (one.key, one.value, two.value) == (None, None, None)
            assert (copied.key, copied.value) == (b"k", b"c")

    trio.run(test)


def test_records_that_are_gone_leave_letters_without_content(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            await _topic(broker, "jobs")
            await _topic(broker, "dlq.jobs", *ENABLED)
            await _append(broker, b"a", b"b", b"c")
            (await broker.partitions.get("jobs", 0)).log.delete_records(2)
            dead = DeadLetters(0, 2, 1, Cause.REJECTED)
            await _write(broker, dead, Destination("dlq.jobs", copies_records=True))

            assert [record.value for record in await _read(broker, "dlq.jobs")] == [None, None, b"c"]

    trio.run(test)


def test_letters_fit_into_batches_of_their_topic(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            await _topic(broker, "jobs")
            await _topic(broker, "dlq.jobs", *ENABLED, ("max.message.bytes", "2000"))
            await _append(broker, *(b"x" * 300 for _ in range(20)))
            dead = DeadLetters(0, 19, 1, Cause.REJECTED)
            await _write(broker, dead, Destination("dlq.jobs", copies_records=True))

            assert len(await _read(broker, "dlq.jobs")) == 20

    trio.run(test)


def test_a_letter_goes_to_its_records_partition_as_far_as_there_are_so_many(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            await _topic(broker, "jobs", partitions=3)
            await _topic(broker, "dlq.jobs", *ENABLED, partitions=2)
            dead = DeadLetters(7, 7, 1, Cause.REJECTED)
            for index in range(3):
                await _write(broker, dead, Destination("dlq.jobs", copies_records=False), index=index)

            assert [len(await _read(broker, "dlq.jobs", index)) for index in (0, 1)] == [2, 1]

    trio.run(test)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dlq.missing", "auto.create.topics.enable is off"),
        ("jobs-dead", "begin with dlq."),
        ("__dlq", "cannot begin with __"),
        ("dlq.plain", "does not have errors.deadletterqueue.group.enable=true"),
    ],
)
def test_letters_go_only_where_they_may(tmp_path: Path, name: str, said: str) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            await _topic(broker, "jobs")
            await _topic(broker, "dlq.plain")
            with pytest.raises(DeadLetterFailure, match=said):
                await _write(broker, DeadLetters(0, 0, 1, Cause.REJECTED), Destination(name, False))

    trio.run(test)


def test_the_topic_is_created_if_the_broker_is_told_to(tmp_path: Path) -> None:
    async def test() -> None:
        settings = {"errors_deadletterqueue_auto_create_topics_enable": "true"}
        async with opened(tmp_path, **settings) as broker:
            await _topic(broker, "jobs")
            await _write(broker, DeadLetters(0, 0, 1, Cause.REJECTED), Destination("dlq.new", False))

            assert len(await _read(broker, "dlq.new")) == 1
            assert broker.metadata.image.topic_configs("dlq.new") == {
                "errors.deadletterqueue.group.enable": "true",
                "message.timestamp.type": "CreateTime",
            }

    trio.run(test)
