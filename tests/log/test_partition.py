"""Append, read, roll, reopen."""

from __future__ import annotations

from pathlib import Path

import pytest

from kstream.errors import ApiError, ErrorCode
from kstream.log.analysis import Origin
from kstream.log.config import LogConfig
from kstream.log.errors import LogStorageError, OffsetOutOfRange
from kstream.records.batch import TimestampType, check_crc, iter_headers, read_header
from kstream.records.compression import Codec
from tests.log.support import NOW_MS, TOPIC_ID, append, batch_of, open_log, read_headers, read_records


def test_appends_stamp_offset_and_epoch_and_keep_the_crc(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    assert append(log, batch_of(3), leader_epoch=7).base_offset == 0
    result = append(log, batch_of(2), leader_epoch=7)
    assert (result.base_offset, result.last_offset, result.log_append_time_ms) == (3, 4, -1)
    view = log.read(0, 1 << 20).view()
    position = 0
    for header in iter_headers(view):
        check_crc(view, position, header.size_bytes)
        assert header.partition_leader_epoch == 7
        position += header.size_bytes
    assert [header.base_offset for header in read_headers(log)] == [0, 3]
    assert log.leader_epochs.entries == [(7, 0)]


def test_a_writable_buffer_is_stamped_in_place(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    append(log, batch_of(5))
    buffer = memoryview(bytearray(batch_of(1)))
    log.append(buffer, [read_header(buffer)], leader_epoch=3, now_ms=NOW_MS)
    assert read_header(buffer).base_offset == 5
    assert read_headers(log, 5)[0].partition_leader_epoch == 3


def test_several_batches_in_one_append(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    result = append(log, batch_of(2), batch_of(3), batch_of(1), origin=Origin.COORDINATOR)
    assert (result.base_offset, result.last_offset) == (0, 5)
    assert [header.base_offset for header in read_headers(log)] == [0, 2, 5]


def test_log_append_time(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", LogConfig(message_timestamp_type=TimestampType.LOG_APPEND_TIME))
    result = append(log, batch_of(2, timestamp_ms=5, codec=Codec.LZ4), now_ms=NOW_MS + 9)
    assert result.log_append_time_ms == NOW_MS + 9
    assert [record.timestamp_ms for record in read_records(log)] == [NOW_MS + 9, NOW_MS + 9]
    view = log.read(0, 1 << 20).view()
    check_crc(view, 0, len(view))


def test_reads_begin_with_the_batch_that_contains_the_offset(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    for _ in range(10):
        append(log, batch_of(4))
    for offset in range(40):
        found = log.read(offset, 1 << 20)
        assert found.first_offset == offset // 4 * 4
        assert found.last_offset == 39
        assert len(found.view()) == len(found) == found.size_bytes


def test_a_read_ends_before_the_batch_that_contains_the_end_offset(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    for _ in range(3):
        append(log, batch_of(4))
    assert log.read(0, 1 << 20, end_offset=8).last_offset == 7
    assert log.read(0, 1 << 20, end_offset=9).last_offset == 7
    assert len(log.read(8, 1 << 20, end_offset=9)) == 0
    assert len(log.read(8, 1 << 20, end_offset=8)) == 0
    assert log.read(0, 1 << 20, end_offset=100).last_offset == 11


def test_size_limits_cut_bytes_but_not_the_first_batch(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    size_bytes = len(batch_of(1))
    for _ in range(3):
        append(log, batch_of(1))
    assert len(log.read(0, size_bytes * 2 + 5)) == size_bytes * 2 + 5
    assert len(log.read(0, 1)) == size_bytes
    assert len(log.read(0, 1, min_one_batch=False)) == 0
    assert len(log.read(0, size_bytes, min_one_batch=False)) == size_bytes
    assert len(log.read(0, 1, end_offset=1)) == size_bytes


def test_offsets_out_of_range(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    append(log, batch_of(2))
    assert len(log.read(2, 100)) == 0
    with pytest.raises(OffsetOutOfRange) as caught:
        log.read(3, 100)
    assert (caught.value.log_start_offset, caught.value.end_offset) == (0, 2)
    log.delete_records(1)
    with pytest.raises(OffsetOutOfRange):
        log.read(0, 100)


def test_a_reader_at_the_end_finds_what_is_appended_next(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", LogConfig(segment_bytes=400))
    for number in range(20):
        assert len(log.read(number, 1 << 20)) == 0
        append(log, batch_of(1, value=b"%d" % number))
        assert read_records(log, number)[0].value == b"%d" % number
    assert len(log.segments) > 2


def test_segments_roll_by_size(tmp_path: Path) -> None:
    size_bytes = len(batch_of(1))
    log = open_log(tmp_path / "t-0", LogConfig(segment_bytes=size_bytes * 3))
    for _ in range(7):
        append(log, batch_of(1))
    assert [segment.base_offset for segment in log.segments] == [0, 3, 6]
    assert (tmp_path / "t-0" / f"{0:020d}.log").stat().st_size == size_bytes * 3
    assert (tmp_path / "t-0" / f"{3:020d}.snapshot").exists()
    assert len(read_headers(log)) == 7


def test_segments_roll_by_time_between_their_first_batch_and_the_next(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", LogConfig(segment_ms=1000))
    append(log, batch_of(1, timestamp_ms=5000), now_ms=999_999)
    append(log, batch_of(1, timestamp_ms=6000), now_ms=999_999)
    assert len(log.segments) == 1
    append(log, batch_of(1, timestamp_ms=6001), now_ms=0)
    assert [segment.base_offset for segment in log.segments] == [0, 2]


def test_records_without_timestamps_roll_by_the_age_of_their_segment(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", LogConfig(segment_ms=1000), now_ms=5000)
    for now_ms in (6000, 6000, 6001):
        append(log, batch_of(1, timestamp_ms=-1), now_ms=now_ms)
    assert [segment.base_offset for segment in log.segments] == [0, 2]


def test_jitter_rolls_earlier_and_not_everywhere_at_once(tmp_path: Path) -> None:
    config = LogConfig(segment_ms=1000, segment_jitter_ms=400)
    waited: list[int] = []
    for index in range(30):
        log = open_log(tmp_path / f"t-{index}", config)
        append(log, batch_of(1, timestamp_ms=0))
        for timestamp_ms in range(500, 1100, 20):
            append(log, batch_of(1, timestamp_ms=timestamp_ms))
            if len(log.segments) == 2:
                waited.append(timestamp_ms)
                break
    assert len(waited) == 30
    assert 600 < min(waited) < 740
    assert 860 < max(waited) <= 1020
    assert len(set(waited)) > 8


def test_a_compacted_segment_rolls_before_its_records_have_waited_too_long(tmp_path: Path) -> None:
    values = {"segment.ms": "5000", "max.compaction.lag.ms": "1000"}
    for policy, bases in (("compact", [0, 1]), ("delete", [0])):
        config = LogConfig.from_values({"cleanup.policy": policy, **values})
        log = open_log(tmp_path / f"{policy}-0", config)
        append(log, batch_of(1))
        append(log, batch_of(1, timestamp_ms=NOW_MS + 1001))
        assert [segment.base_offset for segment in log.segments] == bases


@pytest.mark.parametrize("time_step_ms", [1, 0])  # the index of times fills up first, and that of offsets
def test_segments_roll_when_the_index_is_full(tmp_path: Path, time_step_ms: int) -> None:
    log = open_log(tmp_path / "t-0", LogConfig(segment_index_bytes=48, index_interval_bytes=0))
    for number in range(30):
        append(log, batch_of(1, timestamp_ms=NOW_MS + number * time_step_ms))
    assert len(log.segments) > 3
    for segment in log.segments[:-1]:
        assert max(path.stat().st_size for path in segment.index_paths[:2]) <= 48
        assert segment.index.count == (6 if not time_step_ms else 3)
    assert len(read_headers(log)) == 30


@pytest.mark.parametrize(("interval_bytes", "entries"), [(0, 9), (1, 9), (150, 4), (100_000, 0)])
def test_an_index_entry_for_so_many_bytes(tmp_path: Path, interval_bytes: int, entries: int) -> None:
    size_bytes = len(batch_of(1))
    assert 75 < size_bytes < 100  # 150 bytes are two batches
    log = open_log(tmp_path / "t-0", LogConfig(index_interval_bytes=interval_bytes))
    for _ in range(10):
        append(log, batch_of(1))
    index = log.segments.active.index
    assert index.count == entries
    for number in range(entries):
        relative_offset, position = index.entry(number)
        assert position == relative_offset * size_bytes


def test_segments_roll_where_an_offset_is_too_far_for_the_index(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    for offset in (0, 2**31 - 1, 2**31, 2**33):
        append(log, batch_of(1, base_offset=offset), origin=Origin.REPLICATION)
    assert [segment.base_offset for segment in log.segments] == [0, 2**31, 2**33 - (2**31 - 1)]
    assert [header.base_offset for header in read_headers(log)] == [0, 2**31 - 1, 2**31, 2**33]


def test_replicated_batches_keep_offsets_and_epochs(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    batches = [
        batch_of(2, base_offset=10, partition_leader_epoch=4),
        batch_of(1, base_offset=20, partition_leader_epoch=6),
    ]
    append(log, *batches, origin=Origin.REPLICATION, leader_epoch=99)
    assert log.end_offset == 21
    assert log.leader_epochs.entries == [(4, 10), (6, 20)]
    with pytest.raises(ValueError, match="cannot follow"):
        append(log, batch_of(1, base_offset=5), origin=Origin.REPLICATION)


def test_batches_that_are_too_large(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", LogConfig(max_message_bytes=200, segment_bytes=300))
    with pytest.raises(ApiError) as caught:
        append(log, batch_of(1, value=bytes(200)))
    assert caught.value.code is ErrorCode.MESSAGE_TOO_LARGE
    with pytest.raises(ApiError) as caught:
        append(log, batch_of(1, value=bytes(90)), batch_of(1, value=bytes(90)))
    assert caught.value.code is ErrorCode.RECORD_LIST_TOO_LARGE
    assert log.end_offset == 0


def test_a_clean_stop_is_reopened_as_it_was(tmp_path: Path) -> None:
    config = LogConfig(segment_bytes=1000)
    log = open_log(tmp_path / "t-0", config, topic_id=TOPIC_ID)
    for number in range(30):
        append(log, batch_of(2, timestamp_ms=NOW_MS + number), leader_epoch=number // 10)
    before = read_records(log)
    log.close()
    assert (log.segments.active.path).stat().st_size == log.segments.active.size_bytes
    again = open_log(tmp_path / "t-0", config, was_clean=True)
    assert read_records(again) == before
    assert (again.end_offset, again.recovery_point, again.topic_id) == (60, 60, TOPIC_ID)
    assert again.leader_epochs.entries == [(0, 0), (1, 20), (2, 40)]
    assert append(again, batch_of(1)).base_offset == 60


def test_a_closed_log_takes_nothing_and_its_slices_stay(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    append(log, batch_of(1))
    found = log.read(0, 1 << 20)
    log.close()
    with pytest.raises(LogStorageError, match="closed"):
        append(log, batch_of(1))
    assert read_header(found.view()).record_count == 1


def test_a_deleted_log_is_readable_until_it_was_sent(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    append(log, batch_of(1))
    found = log.read(0, 1 << 20)
    removal = log.delete()
    assert not (tmp_path / "t-0").exists()
    removal.finish()
    assert list(tmp_path.iterdir()) == []
    assert read_header(found.view()).record_count == 1
    view = found.view()
    found.release()
    assert read_header(view).record_count == 1
    with pytest.raises(ValueError, match="released"):
        found.fd  # noqa: B018


def test_another_topics_directory_is_refused(tmp_path: Path) -> None:
    open_log(tmp_path / "t-0", topic_id=TOPIC_ID).close()
    with pytest.raises(LogStorageError, match="belongs to topic id"):
        open_log(tmp_path / "t-0", topic_id=bytes(16))


def test_released_files_open_again_when_they_are_read(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", LogConfig(segment_bytes=300))
    for _ in range(20):
        append(log, batch_of(1))
    log.release_files()
    assert len(read_headers(log)) == 20


def test_space_is_reserved_ahead_in_growing_chunks(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", LogConfig(segment_bytes=1 << 20))
    path = log.segments.active.path
    assert path.stat().st_size == 0
    append(log, batch_of(1))
    assert path.stat().st_size == 64 * 1024
    append(log, batch_of(1, value=bytes(64 * 1024)))
    assert path.stat().st_size == 128 * 1024
    preallocated = open_log(tmp_path / "t-1", LogConfig(segment_bytes=1 << 20, preallocate=True))
    append(preallocated, batch_of(1))
    assert preallocated.segments.active.path.stat().st_size == 1 << 20


def test_flush_moves_the_recovery_point(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", LogConfig(segment_bytes=300))
    for _ in range(10):
        append(log, batch_of(1))
    assert log.recovery_point == 0
    assert log.flush() == 10
    assert log.recovery_point == 10
