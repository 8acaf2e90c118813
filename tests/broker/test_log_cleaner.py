"""The cleaner at work in a broker."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import trio
import trio.testing

from kstream.broker import log_cleaner
from kstream.broker.broker import Broker
from kstream.broker.cleaner_pace import LoopLoad, Throttle
from kstream.broker.compaction_child import CompactionChild
from kstream.broker.log_cleaner import LogCleaner
from kstream.broker.partition import Partition
from kstream.broker.replica import LocalReplica
from kstream.log.compaction import Compaction
from kstream.log.platform import Platform
from kstream.log.retention import Removal
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


def test_what_others_make_way_for_is_on_the_disk_first(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            await create(broker, "t", **COMPACTED)
            await fill(broker)
            log = broker.directory.open_log("t", 0)
            assert log is not None
            cleaner = LogCleaner(broker)
            steps: list[str] = []
            swap, sync, discard = Compaction.swap, Platform.sync_directory, broker.partitions.discard

            def swapped(*arguments: Any) -> Removal:
                assert log.recovery_point == log.end_offset == 20
                steps.append("swap")
                return swap(*arguments)

            def synced(platform: Platform, path: Path) -> None:
                if path == log.directory:
                    steps.append("sync")
                sync(platform, path)

            def discarded(*arguments: Any) -> None:
                steps.append("unlink")
                discard(*arguments)

            with (
                patch.object(Compaction, "swap", swapped),
                patch.object(Platform, "sync_directory", synced),
                patch.object(broker.partitions, "discard", discarded),
            ):
                assert await cleaner.clean_filthiest()
            assert steps[0] == "sync"
            assert len(steps) > 3
            assert steps[1:] == ["swap", "sync", "unlink"] * (len(steps) // 3)

    run(test)


def test_a_producers_batch_does_not_go_for_one_that_came_during_the_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush = LocalReplica.flush

    async def test() -> None:
        async with opened(tmp_path) as broker:
            await create(broker, "t", **COMPACTED)

            async def send(number: int) -> None:
                await produced(
                    broker, batch(b"", key=b"k0", producer_id=7, producer_epoch=0, base_sequence=number)
                )

            async def flush_meanwhile(replica: LocalReplica) -> int:
                flushed_offset = await flush(replica)
                await send(1)
                return flushed_offset

            await send(0)
            await fill(broker)
            monkeypatch.setattr(LocalReplica, "flush", flush_meanwhile)
            assert await LogCleaner(broker).clean_filthiest()
            log = (await broker.partitions.get("t", 0)).log
            first = next(iter_headers(log.segments[0].path.read_bytes()))
            assert (first.base_offset, first.producer_id, first.record_count) == (0, 7, 0)

    run(test)


def test_a_log_that_cannot_be_synced_is_not_compacted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            await create(broker, "t", **COMPACTED)
            await fill(broker)
            log = broker.directory.open_log("t", 0)
            assert log is not None
            with patch.object(os, "fdatasync", side_effect=OSError(errno.EIO, "broken")):
                assert not await LogCleaner(broker).clean_filthiest()
            assert log.is_offline
            assert not await LogCleaner(broker).clean_filthiest()
            assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1
            assert len(await values(broker)) == 20

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


def test_a_partition_that_nobody_opened_is_cleaned_and_only_one_worth_it_is_opened(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            for topic in ("cleaned", "little", "filthy", "empty"):
                await create(broker, topic, **COMPACTED, min_cleanable_dirty_ratio="0.7")
                if topic != "empty":
                    await fill(broker, topic)
            await create(broker, "kept", internal_segment_bytes="300")
            await fill(broker, "kept")
            cleaner = LogCleaner(broker)
            while await cleaner.clean_filthiest():
                pass
            for _ in range(10):
                await fill(broker, "filthy")
            for number in range(2):
                await produced(broker, batch(b"%d" % number), "little")
        async with opened(tmp_path) as broker:
            assert broker.partitions.opened() == []
            cleaner = LogCleaner(broker)
            assert await cleaner.clean_filthiest()
            assert [partition.topic_name for partition in broker.partitions.opened()] == ["filthy"]
            assert not await cleaner.clean_filthiest()
            assert [partition.topic_name for partition in broker.partitions.opened()] == ["filthy"]
            assert len(await values(broker, "filthy")) < 20

    run(test)


def test_time_alone_makes_an_unopened_partition_due(tmp_path: Path) -> None:
    async def test() -> None:
        configs = {"min_cleanable_dirty_ratio": "1", "max_compaction_lag_ms": "1000"}
        async with opened(tmp_path) as broker:
            await create(broker, "late", **COMPACTED, **configs)
            await create(broker, "young", **COMPACTED, min_compaction_lag_ms="2000")
            await fill(broker, "late")
            await fill(broker, "young")
        async with opened(tmp_path) as broker:
            cleaner = LogCleaner(broker)
            assert not await cleaner.clean_filthiest()
            assert broker.partitions.opened() == []
            broker.clock.advance(ms=1001)  # type: ignore[attr-defined]
            assert await cleaner.clean_filthiest()
            assert [partition.topic_name for partition in broker.partitions.opened()] == ["late"]
            broker.clock.advance(ms=1000)  # type: ignore[attr-defined]
            assert await cleaner.clean_filthiest()
            assert {partition.topic_name for partition in broker.partitions.opened()} == {"late", "young"}

    run(test)


def test_as_many_logs_at_a_time_as_there_are_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        at_work: list[str] = []
        release = trio.Event()

        async def clean(self: LogCleaner, partition: Partition, *_: object) -> None:
            at_work.append(partition.topic_name)
            await release.wait()

        async def wait_at_work(count: int) -> list[str]:
            with trio.fail_after(60):
                while len(at_work) < count:
                    await trio.lowlevel.checkpoint()
            return sorted(at_work)

        monkeypatch.setattr(LogCleaner, "_clean", clean)
        async with opened(tmp_path) as broker:
            for topic in ("t", "u", "v"):
                await create(broker, topic, **COMPACTED)
                await fill(broker, topic)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(LogCleaner(broker).run_forever)
                assert len(await wait_at_work(1)) == 1
                broker.config.set_dynamic(broker={}, default={"log.cleaner.threads": "2"})
                assert len(set(await wait_at_work(2))) == 2
                broker.config.set_dynamic(broker={}, default={"log.cleaner.threads": "3"})
                assert await wait_at_work(3) == ["t", "u", "v"]
                nursery.cancel_scope.cancel()

    run(test)


def test_of_workers_that_are_too_many_only_those_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ending(CompactionChild):
        async def end(self) -> None:
            await trio.testing.wait_all_tasks_blocked()

    async def test() -> None:
        at_work = 0
        release, again = trio.Event(), trio.Event()

        async def clean(*_: object) -> bool:
            nonlocal at_work
            if release.is_set():
                again.set()
                await trio.sleep_forever()
            at_work += 1
            await release.wait()
            return True

        monkeypatch.setattr(LogCleaner, "clean_filthiest", clean)
        monkeypatch.setattr(log_cleaner, "CompactionChild", Ending)
        async with opened(tmp_path, log_cleaner_threads="2") as broker, trio.open_nursery() as nursery:
            nursery.start_soon(LogCleaner(broker).run_forever)
            with trio.fail_after(60):
                while at_work < 2:
                    await trio.lowlevel.checkpoint()
                broker.config.set_dynamic(broker={}, default={"log.cleaner.threads": "1"})
                release.set()
                await trio.testing.wait_all_tasks_blocked()
            assert again.is_set()
            nursery.cancel_scope.cancel()

    run(test)


def test_a_throttle_is_one_for_all_threads_and_follows_its_setting() -> None:
    now_s, bytes_per_s = 100.0, 1000.0
    throttle = Throttle(lambda: bytes_per_s, lambda: now_s)
    assert throttle.take(500) == pytest.approx(0.5)
    assert throttle.take(500) == pytest.approx(1.0)
    now_s = 103.0
    assert throttle.take(100) == pytest.approx(0.1)  # what was not used before does not add up
    bytes_per_s = 1e308
    assert throttle.take(1 << 40) == pytest.approx(0.1)
    bytes_per_s = -1.0  # Kafka takes any number
    assert throttle.take(2) == pytest.approx(2.1)


def test_the_event_loop_is_busy_by_the_processor_time_of_its_last_window() -> None:
    used_s, now_s = 5.0, 100.0
    loop = LoopLoad(lambda: used_s, lambda: now_s)
    assert loop.is_busy()  # until something is known
    now_s += 0.03
    assert not loop.is_busy()
    used_s += 0.004
    assert not loop.is_busy()  # the window is not over
    now_s += 0.03
    assert loop.is_busy()
    now_s += 0.03
    used_s += 0.0001
    assert not loop.is_busy()


def test_the_load_of_the_loop_is_that_of_the_thread_that_made_it() -> None:
    loop = LoopLoad()
    busy: list[bool] = []
    began_s = time.thread_time()
    while time.thread_time() - began_s < 0.025:
        pass
    thread = threading.Thread(target=lambda: busy.append(loop.is_busy()))
    thread.start()
    thread.join()
    assert busy == [True]
