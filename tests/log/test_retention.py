"""What goes by time, by size, and by the log's start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kstream.log.config import LogConfig
from kstream.log.errors import OffsetOutOfRange
from kstream.log.partition import PartitionLog
from kstream.log.retention import may_have_expired
from tests.log.support import NOW_MS, append, batch_of, compact, open_log, read_headers

BATCH_BYTES = len(batch_of(1))


def log_of_segments(directory: Path, count: int, **settings: object) -> PartitionLog:
    """Segments of two one-record batches; the batch at offset n has the timestamp NOW_MS + n."""
    config = LogConfig(segment_bytes=BATCH_BYTES * 2, retention_ms=-1)
    for name, value in settings.items():
        setattr(config, name, value)
    log = open_log(directory, config)
    for number in range(count * 2):
        append(log, batch_of(1, timestamp_ms=NOW_MS + number), leader_epoch=number // 4)
    assert len(log.segments) == count
    return log


def test_segments_go_when_their_newest_record_is_too_old(tmp_path: Path) -> None:
    log = log_of_segments(tmp_path / "t-0", 4, retention_ms=1000)
    assert len(log.delete_old_segments(NOW_MS + 1001)) == 0
    removal = log.delete_old_segments(NOW_MS + 1004)
    assert log.log_start_offset == 4
    assert [header.base_offset for header in read_headers(log)] == [4, 5, 6, 7]
    assert all(path.name.endswith((".deleted", ".snapshot")) for path in removal.paths)
    removal.finish()
    assert not any(path.exists() for path in removal.paths)
    assert sorted(path.name for path in (tmp_path / "t-0").glob("*.log")) == [f"{n:020d}.log" for n in (4, 6)]
    assert log.leader_epochs.entries == [(1, 4)]
    with pytest.raises(OffsetOutOfRange):
        log.read(3, 100)


def test_a_log_that_expired_whole_rolls(tmp_path: Path) -> None:
    log = log_of_segments(tmp_path / "t-0", 3, retention_ms=1000)
    log.delete_old_segments(NOW_MS + 10_000).finish()
    assert (log.log_start_offset, log.end_offset, log.size_bytes) == (6, 6, 0)
    assert append(log, batch_of(1)).base_offset == 6
    log.close()
    again = open_log(tmp_path / "t-0", was_clean=True)
    assert (again.log_start_offset, again.end_offset) == (6, 7)


def test_segments_go_while_the_log_is_too_large_without_them(tmp_path: Path) -> None:
    log = log_of_segments(tmp_path / "t-0", 5, retention_bytes=BATCH_BYTES * 5)
    log.delete_old_segments(NOW_MS).finish()
    assert log.log_start_offset == 4
    log.delete_old_segments(NOW_MS).finish()
    assert log.size_bytes == BATCH_BYTES * 6


def test_compacted_topics_keep_everything_but_what_was_deleted(tmp_path: Path) -> None:
    log = log_of_segments(tmp_path / "t-0", 4, retention_ms=0, retention_bytes=0, cleanup_policy=("compact",))
    assert len(log.delete_old_segments(NOW_MS + 10_000)) == 0
    log.delete_records(5)
    log.delete_old_segments(NOW_MS).finish()
    assert [segment.base_offset for segment in log.segments] == [4, 6]
    assert log.log_start_offset == 5


def test_compacted_topics_that_are_deleted_from_lose_what_is_too_old_or_too_much(tmp_path: Path) -> None:
    both = ("compact", "delete")
    log = log_of_segments(tmp_path / "t-0", 4, retention_ms=1000, cleanup_policy=both)
    log.delete_old_segments(NOW_MS + 1004).finish()
    assert [segment.base_offset for segment in log.segments] == [4, 6]
    log = log_of_segments(tmp_path / "t-1", 4, retention_bytes=BATCH_BYTES * 4, cleanup_policy=both)
    log.delete_old_segments(NOW_MS).finish()
    assert [segment.base_offset for segment in log.segments] == [4, 6]


def test_a_segment_that_compaction_emptied_does_not_hold_up_retention_by_size(tmp_path: Path) -> None:
    both = ("compact", "delete")
    log = log_of_segments(tmp_path / "t-0", 4, retention_bytes=BATCH_BYTES * 100, cleanup_policy=both)
    compact(log)
    append(log, batch_of(2))
    empty, *_, active = log.segments
    assert (empty.base_offset, empty.size_bytes) == (0, 0)
    log.config.retention_bytes = active.size_bytes
    assert may_have_expired(log.directory, log.config, NOW_MS)
    log.delete_old_segments(NOW_MS).finish()
    assert list(log.segments) == [active]


def test_nothing_above_the_high_watermark_goes(tmp_path: Path) -> None:
    log = log_of_segments(tmp_path / "t-0", 4, retention_ms=0)
    log.high_watermark = 5
    log.delete_old_segments(NOW_MS + 10_000).finish()
    assert log.log_start_offset == 4
    with pytest.raises(OffsetOutOfRange):
        log.delete_records(6)


def test_records_without_timestamps_are_as_old_as_their_file(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", LogConfig(retention_ms=1000))
    append(log, batch_of(1, timestamp_ms=-1))
    log.roll(NOW_MS)
    append(log, batch_of(1, timestamp_ms=NOW_MS * 2))
    os.utime(log.segments[0].path, (1000, 1000))
    assert len(log.delete_old_segments(1_001_000)) == 0
    log.delete_old_segments(1_001_001).finish()
    assert log.log_start_offset == 1


def test_slices_of_deleted_segments_stay_readable(tmp_path: Path) -> None:
    log = log_of_segments(tmp_path / "t-0", 3, retention_ms=0)
    found = log.read(0, 1 << 20)
    log.delete_old_segments(NOW_MS + 10_000).finish()
    assert found.first_offset == 0
    assert found.last_offset == 1
    assert os.pread(found.fd, len(found), found.position) == found.view()


def test_a_process_that_died_before_unlinking(tmp_path: Path) -> None:
    log = log_of_segments(tmp_path / "t-0", 3, retention_ms=0)
    removal = log.delete_old_segments(NOW_MS + 10_000)
    del log
    again = open_log(tmp_path / "t-0")
    assert again.log_start_offset == 6
    assert not any(path.exists() for path in removal.paths if path.name.endswith(".deleted"))
    removal.finish()


def test_deleted_records_stay_deleted(tmp_path: Path) -> None:
    log = log_of_segments(tmp_path / "t-0", 3)
    assert log.delete_records(3) == 3
    assert log.delete_records(1) == 3
    log.close()
    again = open_log(tmp_path / "t-0", was_clean=True, log_start_offset=3)
    assert again.log_start_offset == 3
    assert again.read(3, 1 << 20).first_offset == 3


def test_a_deleted_log_leaves_one_of_its_name_alone(tmp_path: Path) -> None:
    """Retention goes through what was open when it began; a topic may be deleted and made anew meanwhile."""
    old = log_of_segments(tmp_path / "t-0", 2, retention_ms=1000)
    old.delete()
    new = open_log(tmp_path / "t-0")
    append(new, batch_of(3))
    assert len(old.delete_old_segments(NOW_MS + 100_000)) == 0
    with pytest.raises(OSError, match="closed"):
        old.max_timestamp()
    new.close()
    assert open_log(tmp_path / "t-0", was_clean=True).end_offset == 3
