"""A disk that refuses: the log stays as it was, reading goes on, writing resumes when it can."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from kstream.log.config import LogConfig
from kstream.log.errors import LogStorageError
from kstream.log.indexes import Index
from kstream.log.platform import Buffer, Platform
from tests.log.support import NOW_MS, append, batch_of, open_log, read_headers, read_records


class FailingPlatform(Platform):
    """The machine at hand, with as much room as a test allows."""

    def __init__(self) -> None:
        super().__init__(fallocate=True, fdatasync=True, sendfile=True, nowait=True)
        self.reservable_to: int | None = None
        self.writable_bytes: int | None = None
        self.sync_fails = False
        self.write_vector = self._write_some

    def reserve(self, fd: int, position: int, size_bytes: int) -> None:
        if self.reservable_to is not None and position + size_bytes > self.reservable_to:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().reserve(fd, position, size_bytes)

    def _write_some(self, fd: int, pieces: Sequence[Buffer], position: int) -> int:
        content = b"".join(pieces)
        if self.writable_bytes is not None:
            if not self.writable_bytes:
                raise OSError(errno.ENOSPC, "No space left on device")
            content = content[: self.writable_bytes]
            self.writable_bytes -= len(content)
        return os.pwrite(fd, content, position)

    def sync_data(self, fd: int) -> None:
        if self.sync_fails:
            raise OSError(errno.EIO, "Input/output error")
        super().sync_data(fd)


def test_a_full_disk_refuses_writes_and_serves_reads(tmp_path: Path) -> None:
    platform = FailingPlatform()
    log = open_log(tmp_path / "t-0", platform=platform)
    batch = batch_of(1, value=bytes(30_000))
    append(log, batch)
    append(log, batch)
    platform.reservable_to = 70_000
    with pytest.raises(LogStorageError, match="No space left"):
        append(log, batch)
    assert log.end_offset == 2
    assert len(read_headers(log)) == 2
    platform.reservable_to = None
    assert append(log, batch).base_offset == 2
    assert len(read_headers(log)) == 3


def test_a_nearly_full_disk_gives_what_is_needed(tmp_path: Path) -> None:
    platform = FailingPlatform()
    log = open_log(tmp_path / "t-0", platform=platform)
    platform.reservable_to = 1000
    append(log, batch_of(1))
    assert log.segments.active.path.stat().st_size == len(batch_of(1))


@pytest.mark.parametrize("written", [0, 1, 16, 60, 70])
def test_a_torn_write_is_cut_off_before_the_answer(tmp_path: Path, written: int) -> None:
    platform = FailingPlatform()
    log = open_log(tmp_path / "t-0", platform=platform)
    append(log, batch_of(1, producer_id=3, producer_epoch=0, base_sequence=0))
    size_bytes = log.size_bytes
    platform.writable_bytes = written
    next_batch = batch_of(1, producer_id=3, producer_epoch=0, base_sequence=1)
    with pytest.raises(LogStorageError):
        append(log, next_batch)
    assert log.segments.active.path.stat().st_size == size_bytes
    assert open_log(tmp_path / "t-0").end_offset == 1
    platform.writable_bytes = None
    result = append(log, next_batch)
    assert (result.base_offset, result.is_duplicate) == (1, False)
    assert len(read_records(log)) == 2


def test_short_writes_go_on(tmp_path: Path) -> None:
    class Dribbling(FailingPlatform):
        def _write_some(self, fd: int, pieces: Sequence[Buffer], position: int) -> int:
            return os.pwrite(fd, b"".join(pieces)[:7], position)

    log = open_log(tmp_path / "t-0", platform=Dribbling())
    append(log, batch_of(3, value=b"dribble"))
    assert [record.value for record in read_records(log)] == [b"dribble"] * 3


def test_a_failed_sync_takes_the_log_offline_for_good(tmp_path: Path) -> None:
    platform = FailingPlatform()
    log = open_log(tmp_path / "t-0", platform=platform)
    append(log, batch_of(1))
    platform.sync_fails = True
    with pytest.raises(LogStorageError, match="offline"):
        log.flush()
    platform.sync_fails = False
    with pytest.raises(LogStorageError, match="offline"):
        log.flush()
    with pytest.raises(LogStorageError, match="offline"):
        append(log, batch_of(1))
    with pytest.raises(LogStorageError, match="offline"):
        log.check_online()
    assert log.recovery_point == 0
    assert len(read_headers(log)) == 1
    with pytest.raises(LogStorageError):
        log.close()
    assert not log.is_clean


def test_a_roll_that_fails_can_be_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = open_log(tmp_path / "t-0", LogConfig(segment_bytes=160))
    append(log, batch_of(1))
    append(log, batch_of(1))

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("kstream.log.log_writing.write_snapshot", refuse)
    with pytest.raises(LogStorageError):
        append(log, batch_of(1))
    assert (log.end_offset, len(log.segments)) == (2, 1)
    monkeypatch.undo()
    assert append(log, batch_of(1)).base_offset == 2
    assert len(log.segments) == 2
    assert len(read_headers(log)) == 3


def test_an_index_that_cannot_be_written_does_not_stop_appends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log = open_log(tmp_path / "t-0", LogConfig(index_interval_bytes=0))
    index_path = log.segments.active.index_paths[0]
    index_path.unlink()
    index_path.mkdir()
    for _ in range(600):
        append(log, batch_of(1))
    assert "is not written yet" in caplog.text
    assert log.read(599, 100).first_offset == 599
    index_path.rmdir()
    log.close()
    assert index_path.stat().st_size == 599 * 8


def test_file_size_limits_of_the_process(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="only POSIX has resource limits")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = open_log(tmp_path / "t-0")
    append(log, batch_of(1, value=bytes(60_000)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(LogStorageError, match="File too large"):
            append(log, batch_of(1, value=bytes(60_000)))
        assert append(log, batch_of(1, value=bytes(30_000))).base_offset == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert append(log, batch_of(1, value=bytes(60_000))).base_offset == 2
    assert len(read_headers(log)) == 3


def test_a_roll_that_fails_half_way_leaves_no_segment_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = LogConfig(segment_bytes=1000)
    log = open_log(tmp_path / "t-0", config)
    while log.size_bytes < 500:
        append(log, batch_of(1))

    def out_of_descriptors(index: Index) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(Index, "clear", out_of_descriptors)
        with pytest.raises(LogStorageError, match="Too many open files"):
            append(log, batch_of(1, value=bytes(600)))
    append(log, batch_of(1))  # small enough for the old segment
    end_offset = log.end_offset
    log.close()
    assert open_log(tmp_path / "t-0", config, was_clean=True).end_offset == end_offset


def test_a_mapping_made_while_the_file_is_cut_is_as_long_as_the_file(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    append(log, batch_of(1))
    file = log.segments.active.file
    os.ftruncate(file.fd, log.size_bytes)  # what a roll does first, while a search by time maps in its thread
    assert len(file.mapping(log.size_bytes)) == log.size_bytes


def test_indexes_completed_by_a_roll_right_behind_a_flush_are_synced_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(Platform, "sync_path", lambda _, path: synced.append(Path(path).name))
    log = open_log(tmp_path / "t-0")
    append(log, batch_of(1))
    log.flush()
    log.roll(NOW_MS)
    append(log, batch_of(1))
    log.flush()
    assert f"{0:020d}.index" in synced
    assert f"{0:020d}.timeindex" in synced


def test_a_flush_waits_for_names_that_another_thread_is_about_to_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_log(tmp_path / "t-0")
    log.flush()
    append(log, batch_of(1))
    log.roll(NOW_MS)
    done: list[str] = []
    began = threading.Event()

    def flush() -> None:
        began.set()
        log.flush()
        done.append("flushed")

    flushing = threading.Thread(target=flush)

    def sync_directory(platform: Platform, path: Path) -> None:
        if not flushing.ident:
            flushing.start()
            began.wait()
            for _ in range(1000):
                os.sched_yield()
            done.append("names are on the disk")

    monkeypatch.setattr(Platform, "sync_directory", sync_directory)
    log.flush_rolled()
    flushing.join()
    assert done == ["names are on the disk", "flushed"]
