"""What compaction leaves of a log, case by case."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.errors import ApiError
from kstream.log.analysis import Origin
from kstream.log.cleanable import cleanable
from kstream.log.compaction import Compaction
from kstream.log.compaction_work import CompactionWork
from kstream.log.config import LogConfig
from kstream.log.errors import CompactionAborted
from kstream.log.offset_map import ENTRY_BYTES
from kstream.log.partition import PartitionLog
from kstream.log.timestamps import OffsetAndTimestamp
from kstream.records.batch import ATTRIBUTES_POSITION, CRC_POSITION, TimestampType, crc_of
from kstream.records.compression import Codec
from kstream.records.errors import CorruptBatch
from tests.log.support import (
    NOW_MS,
    append,
    compact,
    end_transaction,
    keyed_batch,
    no_pause,
    open_log,
    read_headers,
    read_records,
)

KEPT_MS = 1000
CONFIG = LogConfig(cleanup_policy=("compact",), delete_retention_ms=KEPT_MS, index_interval_bytes=100)


def contents(log: PartitionLog) -> list[tuple[int, str, str | None]]:
    """Offset, key and value of each data record."""
    return [
        (record.offset, (record.key or b"").decode(), None if record.value is None else record.value.decode())
        for record in read_records(log)
        if record.headers
    ]


def test_the_last_record_of_each_key_stays_at_its_offset(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", CONFIG)
    append(log, keyed_batch(("a", "1"), ("b", "1"), ("a", "2")))
    append(log, keyed_batch(("c", "1"), ("b", "2")))
    log.roll(NOW_MS)
    append(log, keyed_batch(("a", "3")))
    log.roll(NOW_MS)
    append(log, keyed_batch(("c", "active")))
    round_ = compact(log)
    assert contents(log) == [(3, "c", "1"), (4, "b", "2"), (5, "a", "3"), (6, "c", "active")]
    assert (log.log_start_offset, log.end_offset, round_.end_offset) == (0, 7, 6)
    assert [segment.base_offset for segment in log.segments] == [0, 6]
    assert (round_.records_read, round_.records_kept) == (6, 3)
    for offset in range(7):
        assert log.read(offset, 1 << 20).last_offset >= offset


@pytest.mark.parametrize("codec", Codec)
def test_batches_keep_their_codec_end_and_times(tmp_path: Path, codec: Codec) -> None:
    log = open_log(tmp_path / "t-0", CONFIG)
    append(log, keyed_batch(("a", "1"), ("b", "1"), ("a", "2"), ("b", "2"), codec=codec))
    append(log, keyed_batch(("b", "3"), timestamp_ms=NOW_MS + 5, codec=codec))
    log.roll(NOW_MS)
    compact(log)
    first, second = read_headers(log)
    assert (first.codec, first.base_offset, first.last_offset, first.record_count) == (codec, 0, 3, 1)
    assert (second.codec, second.record_count, second.max_timestamp_ms) == (codec, 1, NOW_MS + 5)
    assert contents(log) == [(2, "a", "2"), (4, "b", "3")]
    assert log.offset_for_timestamp(NOW_MS + 1) == OffsetAndTimestamp(4, NOW_MS + 5)
    log.close()
    again = open_log(tmp_path / "t-0", CONFIG)
    assert contents(again) == [(2, "a", "2"), (4, "b", "3")]


def test_a_tombstone_stays_for_its_time_and_then_goes(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", CONFIG)
    append(log, keyed_batch(("a", "1"), ("b", "1")))
    append(log, keyed_batch(("a", None), ("c", "1"), timestamp_ms=NOW_MS + 7))
    append(log, keyed_batch(("d", "1")))
    log.roll(NOW_MS)
    compact(log)
    assert contents(log) == [(1, "b", "1"), (2, "a", None), (3, "c", "1"), (4, "d", "1")]
    horizons = [header.delete_horizon_ms for header in read_headers(log)]
    assert horizons == [None, NOW_MS + KEPT_MS, None]
    assert read_records(log)[1].timestamp_ms == NOW_MS + 7
    compact(log, now_ms=NOW_MS + KEPT_MS - 1)
    assert contents(log)[1] == (2, "a", None)
    compact(log, now_ms=NOW_MS + KEPT_MS)
    assert contents(log) == [(1, "b", "1"), (3, "c", "1"), (4, "d", "1")]
    kept = read_headers(log)[1]
    assert (kept.delete_horizon_ms, kept.max_timestamp_ms) == (NOW_MS + KEPT_MS, NOW_MS + 7)


def transactional(producer_id: int, sequence: int, *records: tuple[str, str | None]) -> bytes:
    return keyed_batch(
        *records, producer_id=producer_id, producer_epoch=0, base_sequence=sequence, is_transactional=True
    )


def test_aborted_records_go_and_markers_stay_until_their_time(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", CONFIG)
    append(log, keyed_batch(("a", "1")))
    append(log, transactional(7, 0, ("a", "aborted"), ("b", "aborted")))
    end_transaction(log, 7, is_commit=False)
    append(log, transactional(7, 2, ("c", "1")))
    end_transaction(log, 7, is_commit=True)
    append(log, transactional(7, 3, ("c", "2")))
    end_transaction(log, 7, is_commit=True)
    append(log, keyed_batch(("d", "1")))
    log.roll(NOW_MS)
    found = log.read(0, 1 << 20)
    assert len(log.aborted_transactions(0, found)) == 1

    compact(log)
    assert contents(log) == [(0, "a", "1"), (6, "c", "2"), (8, "d", "1")]
    markers = [header.base_offset for header in read_headers(log) if header.is_control]
    assert markers == [3, 5, 7], "their batches were still there"
    assert [t.first_offset for t in log.aborted_transactions(0, log.read(0, 1 << 20))] == [1]

    compact(log, now_ms=NOW_MS + 10)
    marked = {header.base_offset: header.delete_horizon_ms for header in read_headers(log)}
    horizon_ms = NOW_MS + 10 + KEPT_MS
    assert marked == {0: None, 3: horizon_ms, 5: horizon_ms, 6: None, 7: None, 8: None}
    assert log.aborted_transactions(0, log.read(0, 1 << 20)) == []

    compact(log, now_ms=horizon_ms - 1)
    assert [header.base_offset for header in read_headers(log)] == [0, 3, 5, 6, 7, 8]
    compact(log, now_ms=horizon_ms)
    assert [header.base_offset for header in read_headers(log)] == [0, 6, 7, 8]


def test_an_aborted_transaction_whose_marker_is_in_the_active_segment(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", CONFIG)
    append(log, keyed_batch(("a", "1")))
    append(log, transactional(7, 0, ("a", "aborted")))
    append(log, keyed_batch(("b", "1")))
    log.roll(NOW_MS)
    end_transaction(log, 7, is_commit=False)
    compact(log)
    assert contents(log) == [(0, "a", "1"), (2, "b", "1")]
    assert read_headers(log)[1].record_count == 0, "the producer's last sequence"


def test_nothing_behind_an_open_transaction_is_cleaned(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", CONFIG)
    append(log, keyed_batch(("a", "1"), ("a", "2")))
    log.roll(NOW_MS)
    append(log, transactional(7, 0, ("a", "3")))
    append(log, keyed_batch(("a", "4")))
    log.roll(NOW_MS)
    assert cleanable(log, None, NOW_MS).end_offset == 2
    assert compact(log).end_offset == 2
    assert contents(log) == [(1, "a", "2"), (2, "a", "3"), (3, "a", "4")]


def test_a_producers_last_sequence_outlives_its_records(tmp_path: Path) -> None:
    directory = tmp_path / "t-0"
    log = open_log(directory, CONFIG)
    settings = {"producer_id": 5, "producer_epoch": 2}
    append(log, keyed_batch(("a", "1"), base_sequence=0, **settings))
    last = keyed_batch(("a", "2"), ("a", "3"), base_sequence=1, **settings)
    append(log, last)
    append(log, keyed_batch(("a", "4")))
    log.roll(NOW_MS)
    compact(log)
    empty, _ = read_headers(log)
    assert (empty.base_offset, empty.last_offset, empty.record_count, empty.last_sequence) == (1, 2, 0, 2)
    del log
    for path in directory.glob("*.snapshot"):
        path.unlink()
    again = open_log(directory, CONFIG)
    assert append(again, last).is_duplicate
    with pytest.raises(ApiError):
        append(again, keyed_batch(("a", "5"), base_sequence=4, **settings))
    assert append(again, keyed_batch(("a", "5"), base_sequence=3, **settings)).base_offset == 4
    again.expire_producers(NOW_MS + 1 + again.config.producer_id_expiration_ms)
    again.roll(NOW_MS)
    compact(again)
    assert [header.base_offset for header in read_headers(again)] == [4]


def test_the_marker_of_a_newer_epoch_stays_for_its_producer(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", CONFIG)
    append(log, transactional(7, 0, ("a", "1")))
    end_transaction(log, 7, is_commit=True, epoch=1)
    append(log, keyed_batch(("a", "2")))
    append(log, keyed_batch(("b", "2")))
    log.roll(NOW_MS)
    for now_ms in (NOW_MS, NOW_MS + 1, NOW_MS + 1 + KEPT_MS):
        compact(log, now_ms=now_ms)
    marker = read_headers(log)[0]
    assert (marker.is_control, marker.producer_epoch, marker.record_count) == (True, 1, 0)
    del log
    again = open_log(tmp_path / "t-0", CONFIG)
    with pytest.raises(ApiError):
        append(again, transactional(7, 1, ("a", "3")))
    assert again.last_stable_offset == again.end_offset


def test_a_full_map_makes_several_rounds(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", CONFIG)
    for number in range(40):
        append(log, keyed_batch((f"k{number % 20}", str(number)), (f"k{number % 20}", f"{number}b")))
        if number % 10 == 9:
            log.roll(NOW_MS)
    offsets: list[int] = []
    while not offsets or offsets[-1] < 80:
        cleaned_offset = offsets[-1] if offsets else None
        offsets.append(compact(log, cleaned_offset, map_bytes=24 * 10, load_factor=0.9).end_offset)
    assert len(offsets) > 3
    assert offsets == sorted(set(offsets))
    assert [value for _, _, value in contents(log)] == [f"{number}b" for number in range(20, 40)]


def test_only_so_many_segments_are_merged_at_once_and_those_of_rounds_again(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", CONFIG)
    for number in range(150):
        append(log, keyed_batch((f"k{number}", "v")))
        log.roll(NOW_MS)
    compact(log)
    assert [segment.base_offset for segment in log.segments] == [0, 64, 128, 150]
    compact(log)
    assert [segment.base_offset for segment in log.segments] == [0, 150]
    assert len(read_records(log)) == 150


def test_segments_are_merged_up_to_their_size(tmp_path: Path) -> None:
    config = LogConfig(cleanup_policy=("compact",), segment_bytes=1000)
    log = open_log(tmp_path / "t-0", config)
    for number in range(60):
        append(log, keyed_batch((f"k{number % 12}", str(number))))
    log.roll(NOW_MS)
    before = len(log.segments)
    compact(log)
    first = len(log.segments)
    compact(log)
    assert before >= first > len(log.segments) >= 2
    assert all(segment.size_bytes <= 1000 for segment in log.segments)
    assert [value for _, _, value in contents(log)] == [str(number) for number in range(48, 60)]
    bases = {segment.base_offset for segment in log.segments}
    snapshots = {int(path.name[:20]) for path in (tmp_path / "t-0").glob("*.snapshot")}
    assert snapshots <= bases


def test_readers_in_flight_keep_what_they_have(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", CONFIG)
    append(log, keyed_batch(("a", "1")))
    append(log, keyed_batch(("a", "2")))
    log.roll(NOW_MS)
    found = log.read(0, 1 << 20)
    before = bytes(found.view())
    old = log.segments[0]
    log.release_files()
    compact(log)
    assert bytes(found.view()) == before
    assert (old.locate(1), old.next_offset()) == (len(before) // 2, 2), "a search in a thread goes on, too"
    assert len(log.read(0, 1 << 20)) < len(before)


def test_what_retention_took_is_not_put_back(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", CONFIG)
    for number in range(3):
        append(log, keyed_batch(("a", str(number))))
        log.roll(NOW_MS)
    compaction = Compaction(log, cleanable(log, None, NOW_MS), NOW_MS)
    (cleaned,) = CompactionWork(compaction.job, log.platform).run(no_pause)
    log.delete_records(1)
    log.delete_old_segments(NOW_MS).finish()
    with pytest.raises(CompactionAborted):
        compaction.swap(cleaned)
    assert compaction.has_lost_its_log()
    assert contents(log) == [(1, "a", "1"), (2, "a", "2")]
    assert not list((tmp_path / "t-0").glob("*.cleaned"))


def test_a_corrupt_batch_is_not_given_a_new_crc(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", CONFIG)
    append(log, keyed_batch(("a", "1"), ("b", "1")))
    append(log, keyed_batch(("a", "2")))
    log.roll(NOW_MS)
    content = bytearray(log.segments[0].path.read_bytes())
    content[70] ^= 1
    log.segments[0].path.write_bytes(content)
    with pytest.raises(CorruptBatch):
        compact(log)
    assert log.segments[0].path.read_bytes() == content
    assert not list((tmp_path / "t-0").glob("*.cleaned"))


def test_neither_is_a_corrupt_marker_nor_a_corrupt_header(tmp_path: Path) -> None:
    """No record of either is looked up in the map."""
    log = open_log(tmp_path / "t-0", CONFIG)
    append(log, keyed_batch(("a", "1"), producer_id=1, producer_epoch=0, base_sequence=0))
    end_transaction(log, 1, is_commit=True)
    append(log, keyed_batch(("a", "2")))
    log.roll(NOW_MS)
    cleaned_offset = compact(log).end_offset
    headers = read_headers(log)
    assert [(header.is_control, header.record_count) for header in headers[:2]] == [(False, 0), (True, 1)]
    content = log.segments[0].path.read_bytes()
    for position in (45, headers[0].size_bytes + 45):  # in the producer's id
        spoiled = bytearray(content)
        spoiled[position] ^= 1
        log.segments[0].path.write_bytes(spoiled)
        with pytest.raises(CorruptBatch):
            compact(log, cleaned_offset)
        assert log.segments[0].path.read_bytes() == spoiled


def test_a_pause_may_end_the_round(tmp_path: Path) -> None:
    class Stopped(BaseException):
        pass

    def stop(size_bytes: int) -> None:
        raise Stopped

    log = open_log(tmp_path / "t-0", CONFIG)
    append(log, keyed_batch(("a", "1"), ("a", "2")))
    log.roll(NOW_MS)
    compaction = Compaction(log, cleanable(log, None, NOW_MS), NOW_MS)
    work = CompactionWork(compaction.job, log.platform)
    work.build_map(no_pause)
    with pytest.raises(Stopped):
        work.clean(work.groups()[0], stop)
    assert not list((tmp_path / "t-0").glob("*.cleaned"))


def test_the_brokers_times_stay(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", CONFIG)
    batch = keyed_batch(
        *(("a", "1"), ("a", "2"), ("b", None)),
        timestamp_type=TimestampType.LOG_APPEND_TIME,
        timestamp_ms=NOW_MS + 3,
    )
    append(log, batch, origin=Origin.REPLICATION)
    log.roll(NOW_MS)
    compact(log)
    (header,) = read_headers(log)
    assert (header.is_log_append_time, header.max_timestamp_ms) == (True, NOW_MS + 3)
    assert [record.timestamp_ms for record in read_records(log)] == [NOW_MS + 3] * 2


KEYED = st.tuples(st.sampled_from("abcdef"), st.none() | st.sampled_from(["1", "22"]))
ROUNDS = st.lists(st.lists(st.lists(KEYED, min_size=1, max_size=5), min_size=1, max_size=8), max_size=4)


@given(rounds=ROUNDS, codec=st.sampled_from([Codec.NONE, Codec.LZ4]), slots=st.sampled_from([3, 1000]))
def test_round_after_round_it_is_as_a_dict_says(
    rounds: list[list[list[tuple[str, str | None]]]], codec: Codec, slots: int
) -> None:
    with tempfile.TemporaryDirectory(prefix="kstream-log-") as root:
        log = open_log(Path(root, "t-0"), CONFIG)
        model: list[tuple[int, str, str | None]] = []
        cleaned_offset = 0
        for batches in rounds:
            for number, records in enumerate(batches):
                for key, value in records:
                    model.append((model[-1][0] + 1 if model else 0, key, value))
                append(log, keyed_batch(*records, codec=codec, timestamp_ms=NOW_MS + number))
            log.roll(NOW_MS)
            dirty_from = cleaned_offset
            cleaned_offset = compact(log, dirty_from, map_bytes=slots * ENTRY_BYTES).end_offset
            newest = {key: offset for offset, key, _ in model if dirty_from <= offset < cleaned_offset}
            model = [record for record in model if record[0] >= newest.get(record[1], 0)]
            assert contents(log) == model
            assert log.end_offset == model[-1][0] + 1


LAST_OFFSET_DELTA_POSITION = ATTRIBUTES_POSITION + 2
SPOILED = st.tuples(st.integers(0, 200), st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))
HOSTILE = st.lists(
    st.tuples(st.lists(KEYED, min_size=1, max_size=5), st.lists(SPOILED, max_size=3)), min_size=1, max_size=6
)


@given(batches=HOSTILE, codec=st.sampled_from([Codec.NONE, Codec.LZ4]), slots=st.sampled_from([3, 1000]))
def test_batches_with_a_right_crc_and_anything_in_them(
    batches: list[tuple[list[tuple[str, str | None]], list[tuple[int, int]]]], codec: Codec, slots: int
) -> None:
    """A round takes them, or ends with what the cleaner expects of a log that it must leave alone."""
    with tempfile.TemporaryDirectory(prefix="kstream-log-") as root:
        log = open_log(Path(root, "t-0"), CONFIG)
        for records, spoiled in batches:
            batch = bytearray(keyed_batch(*records, codec=codec))
            for position, value in spoiled:
                batch[ATTRIBUTES_POSITION + position % (len(batch) - ATTRIBUTES_POSITION)] = value
            batch[CRC_POSITION:ATTRIBUTES_POSITION] = crc_of(batch, 0, len(batch)).to_bytes(4, "big")
            if batch[LAST_OFFSET_DELTA_POSITION] < 128:  # negative ones get neither past Produce nor recovery
                with suppress(ApiError, CorruptBatch):
                    append(log, bytes(batch))
        log.roll(NOW_MS)
        before = [segment.path.read_bytes() for segment in log.segments]
        try:
            compact(log, map_bytes=slots * ENTRY_BYTES)
        except CorruptBatch:
            assert [segment.path.read_bytes() for segment in log.segments] == before
