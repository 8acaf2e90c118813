"""Idempotent producers: sequences, epochs, retries, snapshots."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.errors import ApiError, ErrorCode
from kstream.log.analysis import Origin
from kstream.log.config import LogConfig
from kstream.log.partition import AppendResult, PartitionLog
from kstream.log.producers import BatchMetadata, ProducerEntry
from kstream.log.snapshots import CorruptSnapshot, read_snapshot, write_snapshot
from kstream.records.batch import TimestampType
from tests.log.support import NOW_MS, append, batch_of, open_log

SEQUENCE_MAX = 2**31 - 1


def send(
    log: PartitionLog, sequence: int, *, count: int = 1, epoch: int = 0, **settings: int
) -> AppendResult:
    """Append as an idempotent producer does."""
    return append(
        log,
        batch_of(
            count,
            producer_id=9,
            producer_epoch=epoch,
            base_sequence=sequence,
            timestamp_ms=NOW_MS + sequence % 1000,
        ),
        **settings,
    )


def code_of(log: PartitionLog, sequence: int, *, epoch: int = 0, count: int = 1) -> ErrorCode:
    """The error that an append gets; nothing is written."""
    end_offset, size_bytes = log.end_offset, log.size_bytes
    with pytest.raises(ApiError) as caught:
        send(log, sequence, epoch=epoch, count=count)
    assert (log.end_offset, log.size_bytes) == (end_offset, size_bytes)
    return caught.value.code


def test_a_retry_gets_its_original_offsets_for_five_batches(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    for number in range(7):
        assert send(log, number * 2, count=2).base_offset == number * 2
    for number in range(2, 7):
        result = send(log, number * 2, count=2)
        assert (result.base_offset, result.last_offset) == (number * 2, number * 2 + 1)
        assert result.is_duplicate
    assert log.end_offset == 14
    assert code_of(log, 2, count=2) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert code_of(log, 12, count=1) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert not send(log, 14).is_duplicate


def test_a_gap_is_out_of_order(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    send(log, 0)
    assert code_of(log, 2) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    send(log, 1)


def test_an_unknown_producer_may_begin_anywhere(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    assert send(log, 41).base_offset == 0
    assert code_of(log, 43) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    send(log, 42)


def test_epochs_fence_and_begin_with_sequence_0(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    send(log, 0, epoch=3)
    assert code_of(log, 1, epoch=2) is ErrorCode.INVALID_PRODUCER_EPOCH
    assert code_of(log, 1, epoch=4) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    send(log, 0, epoch=4)
    assert code_of(log, 1, epoch=3) is ErrorCode.INVALID_PRODUCER_EPOCH
    send(log, 1, epoch=4)


def test_sequences_wrap(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    send(log, SEQUENCE_MAX - 3, count=3)
    assert send(log, SEQUENCE_MAX, count=2).base_offset == 3
    assert code_of(log, 0) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert send(log, 1).base_offset == 5
    retry = send(log, SEQUENCE_MAX, count=2)
    assert (retry.is_duplicate, retry.base_offset) == (True, 3)


def test_a_retry_with_log_append_time_gets_its_original_time(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", LogConfig(message_timestamp_type=TimestampType.LOG_APPEND_TIME))
    send(log, 0, now_ms=NOW_MS)
    retry = send(log, 0, now_ms=NOW_MS + 500)
    assert (retry.is_duplicate, retry.log_append_time_ms) == (True, NOW_MS)


def test_a_wrong_batch_among_several_changes_nothing(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    first = batch_of(1, producer_id=9, producer_epoch=0, base_sequence=0)
    wrong = batch_of(1, producer_id=9, producer_epoch=0, base_sequence=5)
    with pytest.raises(ApiError):
        append(log, first, wrong)
    assert log.end_offset == 0
    assert log.producers.entries == {}
    append(log, first, batch_of(1, producer_id=9, producer_epoch=0, base_sequence=1))
    assert send(log, 2).base_offset == 2


def test_coordinators_have_epochs_but_no_sequences(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    for _ in range(2):
        append(log, batch_of(1, producer_id=9, producer_epoch=1), origin=Origin.COORDINATOR)
    with pytest.raises(ApiError) as caught:
        append(log, batch_of(1, producer_id=9, producer_epoch=0), origin=Origin.COORDINATOR)
    assert caught.value.code is ErrorCode.INVALID_PRODUCER_EPOCH
    assert log.end_offset == 2


@pytest.mark.parametrize("was_clean", [True, False])
def test_producers_survive_a_restart(tmp_path: Path, was_clean: bool) -> None:
    config = LogConfig(segment_bytes=300)
    log = open_log(tmp_path / "t-0", config)
    for number in range(9):
        send(log, number * 2, count=2)
    if was_clean:
        log.close()
    del log
    log = open_log(tmp_path / "t-0", config, was_clean=was_clean)
    retry = send(log, 16, count=2)
    assert (retry.is_duplicate, retry.base_offset) == (True, 16)
    assert code_of(log, 20) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert send(log, 18).base_offset == 18


def test_what_a_producer_sent_before_the_logs_start_counts_after_a_crash(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    send(log, 0)
    log.roll(NOW_MS)  # takes a snapshot that knows this record alone
    send(log, 1, count=3)
    append(log, batch_of(4))
    log.delete_records(6)
    again = open_log(tmp_path / "t-0", log_start_offset=6)
    assert again.log_start_offset == 6
    assert send(again, 1, count=3).is_duplicate
    assert send(again, 4).base_offset == 8


def test_truncation_takes_producers_back(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", LogConfig(segment_bytes=300))
    for number in range(12):
        send(log, number)
    log.truncate_to(5, NOW_MS)
    assert code_of(log, 12) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert send(log, 5).base_offset == 5


def test_silent_producers_are_forgotten(tmp_path: Path) -> None:
    config = LogConfig(producer_id_expiration_ms=1000)
    log = open_log(tmp_path / "t-0", config)
    send(log, 0)
    log.expire_producers(NOW_MS + 999)
    assert code_of(log, 5) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    log.expire_producers(NOW_MS + 1000)
    assert send(log, 5).base_offset == 1
    log.close()
    again = open_log(tmp_path / "t-0", config, was_clean=True, now_ms=NOW_MS + 10_000)
    assert again.producers.entries == {}


def test_snapshots_of_earlier_closes_do_not_pile_up(tmp_path: Path) -> None:
    directory = tmp_path / "t-0"
    for _ in range(4):
        log = open_log(directory, was_clean=True)
        append(log, batch_of(1))
        log.close()
    assert [path.name for path in directory.glob("*.snapshot")] == [f"{4:020d}.snapshot"]


INT16, INT32, INT64 = st.integers(0, 2**15 - 1), st.integers(0, SEQUENCE_MAX), st.integers(0, 2**63 - 1)


@st.composite
def entries(draw: st.DrawFn) -> ProducerEntry:
    """Any entry that a snapshot can hold: with its last batch at most."""
    entry = ProducerEntry(draw(INT64), draw(INT16))
    entry.last_timestamp_ms = draw(st.integers(-1, 2**62))
    entry.coordinator_epoch = draw(st.integers(-1, 2**31 - 1))
    entry.txn_first_offset = draw(st.none() | INT64)
    if draw(st.booleans()):
        first_offset, delta, first_sequence = draw(st.integers(0, 2**60)), draw(INT32), draw(INT32)
        entry.batches = [
            BatchMetadata(
                first_sequence,
                (first_sequence + delta) & SEQUENCE_MAX,
                first_offset,
                first_offset + delta,
                entry.last_timestamp_ms,
            )
        ]
    return entry


def _as_tuple(entry: ProducerEntry) -> tuple[object, ...]:
    return tuple(getattr(entry, name) for name in ProducerEntry.__slots__)


@given(st.lists(entries(), max_size=5))
def test_snapshots_round_trip(tmp_path_factory: pytest.TempPathFactory, written: list[ProducerEntry]) -> None:
    path = tmp_path_factory.getbasetemp() / f"{0:020d}.snapshot"
    write_snapshot(path, written)
    assert [_as_tuple(entry) for entry in read_snapshot(path)] == [_as_tuple(entry) for entry in written]


def test_snapshots_are_kafkas_bytes(tmp_path: Path) -> None:
    entry = ProducerEntry(0x0102030405060708, 3)
    entry.batches = [BatchMetadata(8, 10, 98, 100, NOW_MS)]
    entry.last_timestamp_ms = NOW_MS
    entry.coordinator_epoch = 7
    path = tmp_path / "s"
    write_snapshot(path, [entry])
    body = path.read_bytes()
    assert body[:2] == b"\0\1"
    assert body[6:] == (
        b"\0\0\0\1"
        + bytes(range(1, 9))
        + b"\0\3"
        + (10).to_bytes(4, "big")
        + (100).to_bytes(8, "big")
        + (2).to_bytes(4, "big")
        + NOW_MS.to_bytes(8, "big")
        + (7).to_bytes(4, "big")
        + b"\xff" * 8
    )


def test_damaged_snapshots_are_told(tmp_path: Path) -> None:
    path = tmp_path / "s"
    write_snapshot(path, [ProducerEntry(1, 0)])
    good = path.read_bytes()
    for position in range(len(good)):
        path.write_bytes(good[:position] + bytes([good[position] ^ 0x40]) + good[position + 1 :])
        with pytest.raises(CorruptSnapshot):
            read_snapshot(path)
        path.write_bytes(good[:position])
        with pytest.raises(CorruptSnapshot):
            read_snapshot(path)
