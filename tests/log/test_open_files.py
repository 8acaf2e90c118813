"""Closing segments above the limit."""

from __future__ import annotations

import gc
import os
from pathlib import Path

from kstream.log.config import LogConfig
from kstream.log.directory import LogDirectory
from kstream.log.partition import PartitionLog
from kstream.log.platform import NATIVE
from tests.log.support import NOW_MS, TOPIC_ID, append, batch_of, open_log, read_headers, read_records

LIMIT = 4


def filled(directory: Path, segments: int) -> PartitionLog:
    log = open_log(directory, LogConfig(segment_bytes=200), platform=NATIVE.with_open_files(LIMIT))
    for _ in range(segments):
        append(log, batch_of(1))
        append(log, batch_of(1))
    return log


def descriptors(directory: Path) -> set[str]:
    """The files of a directory that this process has open."""
    names = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:  # the listing's own
            continue
        if target.startswith(f"{directory}{os.sep}"):
            names.add(target.removeprefix(f"{directory}{os.sep}"))
    return names


def test_no_more_are_open_than_may_be(tmp_path: Path) -> None:
    log = filled(tmp_path / "t-0", 10)
    files = log.platform.open_files
    assert len(descriptors(tmp_path)) == len(log.segments) == 10
    files.trim()
    assert len(descriptors(tmp_path)) == LIMIT
    for number in (0, 1, 0, 2, 0, 3, 0, 4, 0, 5):
        base_offset = log.segments[number].base_offset
        assert log.read(base_offset, 1).first_offset == base_offset
        files.trim()
        assert len(descriptors(tmp_path)) <= LIMIT
    assert len(read_records(log)) == 20
    files.trim()
    assert append(log, batch_of(1)).base_offset == 20
    assert log.flush() == 21
    assert len(read_headers(log)) == 21


def test_an_active_segment_goes_on_where_it_was(tmp_path: Path) -> None:
    log = open_log(
        tmp_path / "t-0",
        LogConfig(segment_bytes=1 << 20, index_interval_bytes=0),
        platform=NATIVE.with_open_files(0),
    )
    found = []
    for number in range(50):
        append(log, batch_of(1, timestamp_ms=NOW_MS + number))
        log.platform.open_files.trim()
        log.platform.open_files.trim()
        assert not log.segments.active.is_open
        found.append(log.read(number, 1 << 20))
    assert log.segments.active.index.count == 49
    log.close()
    assert [slice_.first_offset for slice_ in found] == list(range(50))
    again = open_log(tmp_path / "t-0", was_clean=True)
    assert len(read_records(again)) == 50


def test_slices_keep_what_they_read_from(tmp_path: Path) -> None:
    log = filled(tmp_path / "t-0", 8)
    found = [log.read(segment.base_offset, 1 << 20) for segment in log.segments]
    contents = [bytes(slice_.view()) for slice_ in found]
    log.platform.open_files.trim()
    assert sum(segment.is_open for segment in log.segments) <= LIMIT
    for slice_, content in zip(found, contents, strict=True):
        assert os.pread(slice_.fd, len(slice_), slice_.position) == content


def test_segments_that_are_gone_do_not_count(tmp_path: Path) -> None:
    log = filled(tmp_path / "t-0", 10)
    log.delete_records(log.segments[8].base_offset)
    log.delete_old_segments(NOW_MS).finish()
    gc.collect()
    assert len(descriptors(tmp_path)) == 2
    log.platform.open_files.trim()
    assert len(descriptors(tmp_path)) == 2


def test_the_limit_is_for_all_partitions_of_a_directory(tmp_path: Path) -> None:
    directory = LogDirectory.open(tmp_path, open_files_max=LIMIT)
    for index in range(10):
        log = directory.open_partition("t", index, LogConfig(), topic_id=TOPIC_ID, now_ms=NOW_MS)
        append(log, batch_of(1))
    directory.trim_open_files()
    assert len([name for name in descriptors(tmp_path) if name.endswith(".log")]) == LIMIT
    directory.close()
    assert LogDirectory.open(tmp_path).was_clean
