"""The cleaner at work in a broker."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from kstream.broker.broker import Broker
from kstream.broker.log_cleaner import LogCleaner
from kstream.records.batch import iter_headers
from kstream.records.record import iter_records
from tests.api.data_plane import (
    NOW_MS,
    batch,
    bytes_of,
    create,
    delete,
    fetch_request,
    fetched,
    only,
    opened,
    produced,
    run,
)

COMPACTED = {"cleanup_policy": "compact", "internal_segment_bytes": "300"}


async def values(broker: Broker, topic: str = "t") -> list[bytes | None]:
    """Every record's value, fetched from the log's start."""
    found: list[bytes | None] = []
    offset = 0
    while True:
        answer = only(await fetched(broker, fetch_request(offset, topic=topic)))
        content = bytes_of(answer)
        if not content:
            return found
        position = 0
        for header in iter_headers(content):
            found += [record.value for record in iter_records(content, position, header=header)]
            position += header.size_bytes
            offset = header.next_offset


async def fill(broker: Broker, topic: str = "t") -> None:
    for number in range(20):
        await produced(broker, batch(b"%d" % number, key=b"k%d" % (number % 4)), topic)


def test_the_filthiest_log_is_cleaned_first_and_none_twice(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            for topic, size in (("t", "300"), ("u", "300"), ("kept", "300")):
                await create(
                    broker,
                    topic,
                    cleanup_policy="delete" if topic == "kept" else "compact",
                    internal_segment_bytes=size,
                )
                await fill(broker, topic)
            await fill(broker, "u")
            cleaner = LogCleaner(broker)
            while await cleaner.clean_filthiest():
                pass
            assert len(await values(broker)) < 10
            assert (await values(broker))[-4:] == [b"16", b"17", b"18", b"19"]
            assert len(await values(broker, "kept")) == 20
            end = broker.directory.cleaned_offset("t", 0)
            lines = (tmp_path / "cleaner-offset-checkpoint").read_text().splitlines()
            assert lines[:3] == ["0", "2", f"t 0 {end}"]
            while broker.partitions.unwanted:
                broker.partitions.unwanted.popleft().finish()
            assert not list(tmp_path.glob("*/*.deleted"))
        async with opened(tmp_path) as broker:
            assert broker.directory.cleaned_offset("t", 0) == end
            assert (await values(broker))[-4:] == [b"16", b"17", b"18", b"19"]
            assert not await LogCleaner(broker).clean_filthiest()
            await delete(broker, "t")
            await create(broker, "t", **COMPACTED)
            assert broker.directory.cleaned_offset("t", 0) is None

    run(test)


def test_records_younger_than_the_lag_stay(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            await create(broker, "t", **COMPACTED, min_compaction_lag_ms="1000")
            await fill(broker)
            assert not await LogCleaner(broker).clean_filthiest()
            broker.clock.advance(ms=1000)  # type: ignore[attr-defined]
            assert await LogCleaner(broker).clean_filthiest()
            assert len(await values(broker)) < 20

    run(test)


def test_a_record_that_waited_too_long_is_reason_enough(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            await create(
                broker, "t", **COMPACTED, max_compaction_lag_ms="1000", min_cleanable_dirty_ratio="1"
            )
            await fill(broker)
            assert not await LogCleaner(broker).clean_filthiest()
            broker.clock.advance(ms=1001)  # type: ignore[attr-defined]
            assert await LogCleaner(broker).clean_filthiest()
            # The active segment ends, too, when a record comes after that time.
            partition = await broker.partitions.get("t", 0)
            count = len(partition.log.segments)
            await produced(broker, batch(b"late", timestamp_ms=NOW_MS + 1001))
            assert len(partition.log.segments) == count + 1

    run(test)


def test_a_log_that_cannot_be_cleaned_is_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            await create(broker, "t", **COMPACTED)
            await fill(broker)
            partition = await broker.partitions.get("t", 0)
            path = partition.log.segments[0].path
            content = bytearray(path.read_bytes())
            content[-1] ^= 1
            path.write_bytes(content)
            cleaner = LogCleaner(broker)
            assert await cleaner.clean_filthiest()
            assert not await cleaner.clean_filthiest()
            assert path.read_bytes() == content

    run(test)
    assert [record.message for record in caplog.records if "is not compacted" in record.message] != []


def test_a_stop_ends_a_throttled_round(tmp_path: Path) -> None:
    async def test() -> None:
        settings = {"log_cleaner_io_max_bytes_per_second": "1"}
        async with opened(tmp_path, **settings) as broker:
            await create(broker, "t", **COMPACTED)
            for _ in range(10):
                await fill(broker)
            with trio.move_on_after(0.05) as scope:
                await LogCleaner(broker).run_forever()
            assert scope.cancelled_caught
            assert not list(tmp_path.glob("*/*.cleaned"))
            assert len(await values(broker)) == 200

    run(test)
