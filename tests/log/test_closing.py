"""Many logs that are closed together: as clean as one by one, with no more syncs than it takes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from kstream.log import closing
from kstream.log.config import LogConfig
from kstream.log.directory import LogDirectory
from kstream.log.partition import PartitionLog
from kstream.log.platform import Platform
from tests.log.support import NOW_MS, TOPIC_ID, append, batch_of, end_transaction, read_records


class Counting(Platform):
    """Counts what is synced; `refuses` names files and directories of which the sync fails."""

    __slots__ = ("refuses", "synced", "whole")

    def __init__(self, *, whole: bool | None = None) -> None:
        super().__init__(fallocate=True, fdatasync=True, sendfile=True, nowait=True)
        self.synced: list[str] = []
        self.whole = whole
        self.refuses: list[str] = []

    def sync_data(self, fd: int) -> None:
        self._note(os.readlink(f"/proc/self/fd/{fd}"))

    def sync_directory(self, path: str | os.PathLike[str]) -> None:
        self._note(os.fspath(path))

    def sync_file_system(self, fd: int) -> bool:
        return bool(self.whole)

    def _note(self, path: str) -> None:
        if path.endswith(tuple(self.refuses)):
            raise OSError(errno.EIO, "no such luck")
        self.synced.append(path)


def opened(path: Path, count: int, platform: Platform) -> tuple[LogDirectory, list[PartitionLog]]:
    """New logs with one record each."""
    directory = LogDirectory.open(path, platform=platform)
    logs = []
    for index in range(count):
        log = directory.open_partition("t", index, LogConfig(), topic_id=TOPIC_ID, now_ms=NOW_MS)
        append(log, batch_of(1, value=b"%d" % index))
        logs.append(log)
    return directory, logs


def reopened(path: Path, count: int) -> list[bytes | None]:
    directory = LogDirectory.open(path)
    assert directory.was_clean
    found = []
    for index in range(count):
        log = directory.open_partition("t", index, LogConfig(), topic_id=TOPIC_ID, now_ms=NOW_MS)
        found += [record.value for record in read_records(log)]
    directory.close()
    return found


def test_each_file_is_synced_once_and_what_they_share_too(tmp_path: Path) -> None:
    platform = Counting()
    directory, _ = opened(tmp_path, 5, platform)
    directory.close()
    directory_syncs = [path for path in platform.synced if path == str(tmp_path)]
    assert len(directory_syncs) == 2  # for the new partitions, and for the marker of a clean stop
    for index in range(5):
        mine = [path.rpartition("/")[2] for path in platform.synced if f"/t-{index}" in path]
        assert sorted(mine) == sorted(set(mine))
        assert {f"t-{index}", f"{0:020d}.log"} <= set(mine)
    assert reopened(tmp_path, 5) == [b"%d" % index for index in range(5)]


@pytest.mark.parametrize("can", [True, False])
def test_many_are_synced_with_their_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can: bool
) -> None:
    monkeypatch.setattr(closing, "_MANY", 3)
    platform = Counting(whole=can)
    directory, logs = opened(tmp_path, 5, platform)
    directory.close()
    assert any("/t-3" in path for path in platform.synced) is not can
    assert all(log.is_clean and log.recovery_point == 1 for log in logs)
    assert reopened(tmp_path, 5) == [b"%d" % index for index in range(5)]


@pytest.mark.parametrize("refused", ["t-2/00000000000000000000.log", "t-2"])
def test_one_that_fails_keeps_the_stop_from_being_clean_and_no_other_log(
    tmp_path: Path, refused: str
) -> None:
    platform = Counting()
    directory, logs = opened(tmp_path, 5, platform)
    platform.refuses.append(refused)
    errors = directory.close_logs(logs)
    assert [str(error).partition(" was not closed cleanly")[0] for error in errors] == [str(tmp_path / "t-2")]
    assert [log.is_clean for log in logs] == [True, True, False, True, True]
    directory.close()
    assert not (tmp_path / ".kafka_cleanshutdown").exists()


def test_the_whole_file_system_is_synced_or_that_is_told(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        assert Platform.native().sync_file_system(file.fileno()) in (True, False)
        assert not Platform.portable().sync_file_system(file.fileno())
    assert not Platform.native().sync_file_system(-1)


@pytest.mark.parametrize("ends_with", ["checkpoint", "flush"])
def test_a_segment_that_was_flushed_before_its_roll_has_its_indexes_synced(
    tmp_path: Path, ends_with: str
) -> None:
    """Its recovery point stands where the next segment begins, so a start will not check it."""
    platform = Counting()
    directory, (log,) = opened(tmp_path, 1, platform)
    append(log, batch_of(1, producer_id=5, producer_epoch=0, base_sequence=0, is_transactional=True))
    end_transaction(log, 5, is_commit=False)
    log.flush()
    log.roll(NOW_MS)
    assert log.recovery_point == log.segments.active.base_offset
    platform.synced.clear()
    if ends_with == "checkpoint":
        directory.write_checkpoints()
    else:
        log.flush()
    synced = {path.rpartition("/")[2] for path in platform.synced}
    assert {f"{0:020d}.txnindex", f"{0:020d}.timeindex", "t-0"} <= synced
    platform.synced.clear()
    log.flush_rolled()
    log.flush()
    assert not platform.synced


def test_segments_that_are_synced_alone_leave_the_directory_to_the_next_flush(tmp_path: Path) -> None:
    """The process that made it was killed, so the next one has to sync it."""
    opened(tmp_path, 1, Platform.native())[0].abandon()
    platform = Counting()
    _, (log,) = opened(tmp_path, 1, platform)
    log.roll(NOW_MS)
    log.flush_rolled()
    assert str(tmp_path) not in platform.synced
    log.flush()
    assert str(tmp_path) in platform.synced
