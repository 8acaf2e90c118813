"""Searches that would wait for a disk are told before."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import trio

from kstream.broker.replica import READ_AHEAD_BYTES, LocalReplica
from kstream.log.config import LogConfig
from kstream.log.errors import LogStorageError
from kstream.log.partition import PartitionLog
from kstream.log.platform import Platform
from kstream.log.scanning import cold_scan
from tests.log.support import append, batch_of, end_transaction, open_log

BATCH_BYTES = len(batch_of(1))


class ColdDisk(Platform):
    """Nothing is in the page cache that was not brought in."""

    def __init__(self) -> None:
        super().__init__(fallocate=True, fdatasync=True, sendfile=True, nowait=True)
        self.warm: list[tuple[int, int]] = []
        self.ahead: list[tuple[int, int]] = []
        self.mappings = 0

    def is_resident(self, fd: int, position: int, size_bytes: int) -> bool:
        return any(begin <= position and position + size_bytes <= end for begin, end in self.warm)

    def bring_in(self, fd: int, position: int, size_bytes: int) -> None:
        self.warm.append((position, position + size_bytes))
        super().bring_in(fd, position, size_bytes)

    def read_ahead(self, fd: int, position: int, size_bytes: int) -> None:
        self.ahead.append((position, position + size_bytes))

    def map_file(self, fd: int, size_bytes: int) -> memoryview:
        self.mappings += 1
        return super().map_file(fd, size_bytes)


def cold_log(directory: Path) -> tuple[PartitionLog, ColdDisk]:
    """Two segments of twenty batches, an index entry for every fifth."""
    disk = ColdDisk()
    config = LogConfig(segment_bytes=BATCH_BYTES * 20, index_interval_bytes=BATCH_BYTES * 4)
    log = open_log(directory, config, platform=disk)
    for _ in range(40):
        append(log, batch_of(1))
    log.close()
    return open_log(directory, config, platform=disk, was_clean=True), disk


def test_the_headers_up_to_a_batch_are_brought_in_first(tmp_path: Path) -> None:
    log, disk = cold_log(tmp_path / "t-0")
    scan = cold_scan(log, 12)
    assert scan is not None
    scan()
    ((begin, end),) = disk.warm
    at = 12 * BATCH_BYTES
    assert begin <= at < at + 61 <= end <= begin + 8 * BATCH_BYTES
    assert cold_scan(log, 12) is None
    assert log.read(12, 1).first_offset == 12
    assert cold_scan(log, 12) is None, "its place is remembered, and warm"


def test_offsets_that_are_not_there_need_no_scan(tmp_path: Path) -> None:
    log, _ = cold_log(tmp_path / "t-0")
    assert cold_scan(log, 40) is None
    assert cold_scan(log, -1) is None


def test_what_was_just_written_is_not_asked_for(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", platform=ColdDisk())
    append(log, batch_of(1))
    append(log, batch_of(1))
    assert cold_scan(log, 0) is None
    assert cold_scan(log, 1) is None


def test_a_replica_reads_what_is_warm(tmp_path: Path) -> None:
    log, disk = cold_log(tmp_path / "t-0")

    async def test() -> None:
        replica = LocalReplica(log)
        for offset in (22, 3, 8):
            disk.warm.clear()
            found = await replica.read(offset, 10 * BATCH_BYTES, end_offset=40, min_one_batch=True)
            assert found.first_offset == offset
            scan, records = disk.warm
            assert scan[0] <= records[0] == found.position
            assert records[1] == found.position + len(found)

    trio.run(test)


def test_who_goes_on_reading_cold_data_is_read_ahead_for(tmp_path: Path) -> None:
    log, disk = cold_log(tmp_path / "t-0")
    size = 6 * BATCH_BYTES

    async def test() -> None:
        replica = LocalReplica(log)

        async def read(offset: int) -> list[tuple[int, int]]:
            disk.warm.clear()
            disk.ahead.clear()
            await replica.read(offset, size, end_offset=40, min_one_batch=True)
            return disk.ahead.copy()

        assert not await read(2), "nobody knows yet whether it will go on"
        assert not await read(12)
        assert not await read(10), "backwards"
        behind = 18 * BATCH_BYTES
        assert await read(12) == [(behind, behind + READ_AHEAD_BYTES)]
        assert len(await read(14)) == 1, "it has come to something that was asked for, and is cold again"
        assert not await read(20), "another segment"

    trio.run(test)


def test_what_is_warm_is_not_read_ahead(tmp_path: Path) -> None:
    log, disk = cold_log(tmp_path / "t-0")

    async def test() -> None:
        replica = LocalReplica(log)
        disk.warm.append((0, 1 << 20))
        for offset in range(10):
            await replica.read(offset, BATCH_BYTES, end_offset=40, min_one_batch=True)
        assert not disk.ahead

    trio.run(test)


def test_a_search_maps_nothing(tmp_path: Path) -> None:
    log, disk = cold_log(tmp_path / "t-0")
    before = disk.mappings
    for offset in range(20):
        found = log.read(offset, 2 * BATCH_BYTES)
        assert found.position == offset * BATCH_BYTES
    assert disk.mappings == before
    assert log.read(0, 1).first_offset == 0
    assert disk.mappings == before + 1, "whoever wants the bytes themselves maps"


def aborting_log(directory: Path) -> PartitionLog:
    """Several segments, each with aborted transactions, opened again after a clean stop."""
    config = LogConfig(segment_bytes=BATCH_BYTES * 10)
    log = open_log(directory, config)
    for number in range(40):
        append(log, batch_of(1, producer_id=1, producer_epoch=0, base_sequence=number, is_transactional=True))
        end_transaction(log, 1, is_commit=number % 3 == 0)
    log.close()
    return open_log(directory, config, was_clean=True)


def test_the_event_loop_never_reads_a_transaction_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = aborting_log(tmp_path / "t-0")
    assert len(log.segments) > 4
    expected = aborting_log(tmp_path / "t-1")
    loop = threading.get_ident()
    opened = Path.open
    readers: list[int] = []

    def noted(path: Path, *arguments: Any, **keywords: Any) -> Any:
        if path.suffix == ".txnindex" and path.parent == log.directory:
            readers.append(threading.get_ident())
        return opened(path, *arguments, **keywords)

    monkeypatch.setattr(Path, "open", noted)

    async def test() -> None:
        replica = LocalReplica(log)
        for offset in [segment.base_offset + 1 for segment in log.segments] + [0]:
            found = await replica.read(
                offset, 1 << 20, end_offset=log.end_offset, min_one_batch=True, with_transactions=True
            )
            told = log.aborted_transactions(offset, found)
            assert told == expected.aborted_transactions(offset, expected.read(offset, 1 << 20))
            assert told
        assert all(segment.txn_index.is_loaded for segment in log.segments)

    trio.run(test)
    assert len(readers) == len(log.segments) - 1, "each once, and the active one's when the log was opened"
    assert loop not in readers


def test_a_new_segment_s_transaction_index_needs_no_loading(tmp_path: Path) -> None:
    """A thread that loaded it while markers are appended would lose some."""
    log = aborting_log(tmp_path / "t-0")
    segments = len(log.segments)
    number = 40
    while len(log.segments) == segments:
        append(log, batch_of(1, producer_id=1, producer_epoch=0, base_sequence=number, is_transactional=True))
        number += 1
    assert log.segments.active.txn_index.is_loaded


def test_plain_readers_load_no_transaction_index(tmp_path: Path) -> None:
    log = aborting_log(tmp_path / "t-0")

    async def test() -> None:
        await LocalReplica(log).read(0, 1 << 20, end_offset=log.end_offset, min_one_batch=True)

    trio.run(test)
    assert [segment.txn_index.is_loaded for segment in log.segments[:-1]] == [False] * (len(log.segments) - 1)


def test_a_transaction_index_that_is_none_is_a_storage_error(tmp_path: Path) -> None:
    log = aborting_log(tmp_path / "t-0")
    log.segments[0].txn_index.path.write_bytes(b"odd")

    async def test() -> None:
        with pytest.raises(LogStorageError, match="not a whole number of entries"):
            await LocalReplica(log).read(
                0, 1 << 20, end_offset=log.end_offset, min_one_batch=True, with_transactions=True
            )

    trio.run(test)
