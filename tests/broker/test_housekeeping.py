"""What the broker does by itself."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from kstream.broker.broker import Broker
from kstream.broker.housekeeping import Housekeeping
from kstream.clock import ManualClock
from kstream.errors import ErrorCode
from kstream.web.metrics.families import Families
from kstream.web.metrics.topics import add_topics
from tests.api.data_plane import (
    NOW_MS,
    batch,
    create,
    delete,
    fetch_request,
    fetched,
    only,
    opened,
    produced,
    run,
)

DAY_MS = 86_400_000


def advance(broker: Broker, ms: int) -> None:
    assert isinstance(broker.clock, ManualClock)
    broker.clock.advance(ms=ms)


def test_expired_segments_go_and_the_log_start_moves(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            await create(broker, "t", retention_ms=str(DAY_MS))
            await produced(broker, batch(b"old", b"older"))
            housekeeping = Housekeeping(broker)
            advance(broker, DAY_MS // 2)
            await housekeeping.retain()
            assert only(await fetched(broker, fetch_request())).log_start_offset == 0
            advance(broker, DAY_MS)
            await housekeeping.retain()
            answer = only(await fetched(broker, fetch_request(2)))
            assert (answer.log_start_offset, answer.high_watermark) == (2, 2)
            await produced(broker, batch(b"new", timestamp_ms=NOW_MS + DAY_MS))
            assert only(await fetched(broker, fetch_request(2))).high_watermark == 3
            await housekeeping.unlink()
            assert list(tmp_path.glob("t-0/*.deleted"))
            advance(broker, 60_000)
            await housekeeping.unlink()
            assert not list(tmp_path.glob("t-0/*.deleted"))

    run(test)


def test_after_an_unclean_stop_everything_is_checked_and_the_next_start_is_clean(tmp_path: Path) -> None:
    async def first() -> None:
        async with opened(tmp_path, "t", "u"):
            pass
        async with opened(tmp_path) as broker:
            await produced(broker, batch(b"a"))
            await produced(broker, batch(b"b"), "u")
        (tmp_path / ".kafka_cleanshutdown").unlink()

    async def second() -> None:
        async with opened(tmp_path) as broker:
            assert broker.directory.unrecovered
            await broker.partitions.recovery.run()
            assert not broker.directory.unrecovered

    async def third() -> None:
        async with opened(tmp_path) as broker:
            assert broker.directory.was_clean

    run(first)
    run(second)
    run(third)


def test_files_of_a_deleted_topic_are_unlinked_also_after_a_restart(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            await produced(broker, batch(b"a"))
            await delete(broker, "t")
            assert not (tmp_path / "t-0").exists()
        assert list(tmp_path.glob("*-delete"))
        async with opened(tmp_path) as broker:
            assert sum(map(len, broker.partitions.unwanted)) > 0
            for removal in broker.partitions.unwanted:
                removal.finish()
            assert not list(tmp_path.glob("*-delete"))

    run(test)


def test_so_many_records_wait_for_the_disk_at_most(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            await create(broker, "t", flush_messages="5")
            partition = await broker.partitions.get("t", 0)
            waiting = []
            for _ in range(6):
                await produced(broker, batch(b"a", b"b"))
                waiting.append(partition.log.end_offset - partition.log.recovery_point)
            assert waiting == [2, 4, 0, 2, 4, 0]

    run(test)


def test_records_wait_for_the_disk_for_so_long_at_most(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            await create(broker, "t", flush_ms="5000")
            housekeeping = Housekeeping(broker)
            log = (await broker.partitions.get("t", 0)).log
            await produced(broker, batch(b"a", b"b"))
            await housekeeping.flush()  # from here on they are known to wait
            for waited_ms, recovery_point in ((4999, 0), (1, 2)):
                advance(broker, waited_ms)
                await housekeeping.flush()
                assert log.recovery_point == recovery_point

    run(test)


def test_a_disk_that_fails_is_named_once_and_never_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    syncs: list[int] = []

    def broken(fd: int) -> None:
        syncs.append(fd)
        raise OSError(errno.EIO, "Input/output error")

    async def test() -> None:
        async with opened(tmp_path) as broker:
            await create(broker, "t", flush_ms="5000", internal_segment_bytes="300")
            housekeeping = Housekeeping(broker)
            for _ in range(10):
                await produced(broker, batch(b"a", b"b"))
            with monkeypatch.context() as disk:
                disk.setattr(os, "fdatasync", broken)
                for _ in range(4):
                    await housekeeping.flush()
                    advance(broker, 5000)
                broker.directory.write_checkpoints()
            broker.directory.write_checkpoints()
            assert (await produced(broker, batch(b"c"))).error_code == ErrorCode.KAFKA_STORAGE_ERROR
            assert only(await fetched(broker, fetch_request(19))).high_watermark == 20
            families = Families()
            await add_topics(families, broker)
            shown = {sample.name: sample.value for metric in families.collect() for sample in metric.samples}
            assert shown["kafka_server_replicamanager_offlinereplicacount"] == 1

    run(test)
    assert len(syncs) == 1
    said = [record for record in caplog.records if "is offline until" in record.message]
    assert len(said) == 1
    assert not [record for record in caplog.records if "keeps its recovery point" in record.message]


def test_partitions_that_nobody_opened_expire_too(tmp_path: Path) -> None:
    async def first() -> None:
        async with opened(tmp_path) as broker:
            await create(broker, "t", retention_ms=str(DAY_MS))
            await create(broker, "large", retention_ms="-1", retention_bytes="0")
            await create(broker, "kept", retention_ms=str(DAY_MS * 3))
            for topic in ("t", "large", "kept"):
                await produced(broker, batch(b"old", bytes(100)), topic)

    async def second() -> None:
        async with opened(tmp_path) as broker:
            housekeeping = Housekeeping(broker)
            advance(broker, DAY_MS)
            await housekeeping.retain()
            assert [partition.topic_name for partition in broker.partitions.opened()] == ["large"]
            advance(broker, 1)
            await housekeeping.retain()
            assert broker.directory.open_log("kept", 0) is None
            for topic in ("t", "large"):
                answer = only(await fetched(broker, fetch_request(2, topic=topic)))
                assert (answer.log_start_offset, answer.high_watermark) == (2, 2)

    run(first)
    run(second)
