"""Transactions in one partition: last stable offset, markers, the index of aborted ones."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.errors import ApiError, ErrorCode
from kstream.log.config import LogConfig
from kstream.log.partition import PartitionLog
from kstream.log.snapshots import read_snapshot
from kstream.log.txn_index import AbortedTransaction, TransactionIndex
from tests.log.support import NOW_MS, append, batch_of, compact, end_transaction, open_log


class Producer:
    """Sends transactional batches with ascending sequences."""

    def __init__(self, log: PartitionLog, producer_id: int) -> None:
        self.log = log
        self.producer_id = producer_id
        self.sequence = 0

    def send(self, count: int = 1) -> int:
        batch = batch_of(
            count,
            producer_id=self.producer_id,
            producer_epoch=0,
            base_sequence=self.sequence,
            is_transactional=True,
        )
        self.sequence += count
        return append(self.log, batch).base_offset

    def end(self, *, is_commit: bool) -> None:
        end_transaction(self.log, self.producer_id, is_commit=is_commit)


def test_the_last_stable_offset_is_where_the_oldest_open_transaction_began(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    append(log, batch_of(2))
    one, two = Producer(log, 1), Producer(log, 2)
    assert log.last_stable_offset == 2
    one.send()
    two.send()
    one.send()
    assert log.last_stable_offset == 2
    one.end(is_commit=True)
    assert log.last_stable_offset == 3
    one.send()
    two.end(is_commit=False)
    assert log.last_stable_offset == 6
    one.end(is_commit=False)
    assert log.last_stable_offset == log.end_offset == 9


def test_an_ended_transaction_is_unstable_up_to_the_high_watermark(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    log.high_watermark = 0
    one = Producer(log, 1)
    one.send()
    one.end(is_commit=True)
    append(log, batch_of(1))
    assert log.last_stable_offset == 0
    log.high_watermark = 1
    assert log.last_stable_offset == 0
    log.high_watermark = 2
    assert log.last_stable_offset == 2
    log.high_watermark = 3
    assert log.last_stable_offset == 3


def test_aborted_transactions_of_what_was_read(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", LogConfig(segment_bytes=500, index_interval_bytes=0))
    one, two = Producer(log, 1), Producer(log, 2)
    one.send()  # 0
    two.send()  # 1
    one.end(is_commit=False)  # 2
    two.send()  # 3
    two.end(is_commit=True)  # 4
    for _ in range(8):
        append(log, batch_of(1))
    begin = one.send()
    append(log, batch_of(1))
    one.end(is_commit=False)
    assert len(log.segments) > 2
    first = AbortedTransaction(1, 0, 2, 1)
    last = AbortedTransaction(1, begin, begin + 2, begin + 3)
    assert log.aborted_transactions(0, log.read(0, 1 << 20)) == [first]
    assert log.aborted_transactions(3, log.read(3, 1)) == []
    found = log.read(begin, 1 << 20)
    assert last in log.aborted_transactions(begin, found)
    assert first not in log.aborted_transactions(begin, found)
    assert log.aborted_transactions(log.end_offset, log.read(log.end_offset, 1)) == []


def test_an_empty_transaction_leaves_no_entry(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    end_transaction(log, 1, is_commit=False)
    assert log.segments.active.txn_index.entries == []
    assert not log.segments.active.txn_index.path.exists()
    assert log.last_stable_offset == 1


def test_a_plain_batch_inside_a_transaction_is_refused(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    Producer(log, 1).send()
    with pytest.raises(ApiError) as caught:
        append(log, batch_of(1, producer_id=1, producer_epoch=0, base_sequence=1))
    assert caught.value.code is ErrorCode.INVALID_TXN_STATE


def test_markers_fence_old_epochs_and_old_coordinators(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    one = Producer(log, 1)
    one.send()
    end_transaction(log, 1, is_commit=False, epoch=1, coordinator_epoch=4)
    with pytest.raises(ApiError) as caught:
        end_transaction(log, 1, is_commit=False, epoch=1, coordinator_epoch=3)
    assert caught.value.code is ErrorCode.TRANSACTION_COORDINATOR_FENCED
    with pytest.raises(ApiError) as caught:
        end_transaction(log, 1, is_commit=False, epoch=0, coordinator_epoch=4)
    assert caught.value.code is ErrorCode.INVALID_PRODUCER_EPOCH
    with pytest.raises(ApiError) as caught:
        one.send()
    assert caught.value.code is ErrorCode.INVALID_PRODUCER_EPOCH
    # A bumped epoch begins with sequence 0.
    append(log, batch_of(1, producer_id=1, producer_epoch=1, base_sequence=0, is_transactional=True))
    assert log.last_stable_offset == 2


@pytest.mark.parametrize("was_clean", [True, False])
def test_open_transactions_survive_a_restart(tmp_path: Path, was_clean: bool) -> None:
    config = LogConfig(segment_bytes=300)
    log = open_log(tmp_path / "t-0", config)
    one, two = Producer(log, 1), Producer(log, 2)
    two.send()
    two.end(is_commit=False)
    one.send()
    for _ in range(10):
        append(log, batch_of(1))
    assert log.last_stable_offset == 2
    if was_clean:
        log.close()
    log = open_log(tmp_path / "t-0", config, was_clean=was_clean)
    assert log.last_stable_offset == 2
    end_transaction(log, 1, is_commit=True)
    assert log.last_stable_offset == log.end_offset


def test_truncation_forgets_markers(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    one = Producer(log, 1)
    one.send()
    one.end(is_commit=False)
    assert len(log.segments.active.txn_index.entries) == 1
    log.truncate_to(1, now_ms=0)
    assert log.segments.active.txn_index.entries == []
    assert log.last_stable_offset == 0
    log.close()
    assert open_log(tmp_path / "t-0", was_clean=True).last_stable_offset == 0


def test_the_newest_index_is_read_when_the_log_is_opened(tmp_path: Path) -> None:
    """Which happens in a thread: a fetch would read it in the event loop."""
    log = open_log(tmp_path / "t-0")
    one = Producer(log, 1)
    one.send()
    one.end(is_commit=False)
    log.close()
    again = open_log(tmp_path / "t-0", was_clean=True)
    again.segments.active.txn_index.path.unlink()
    assert [entry.producer_id for entry in again.segments.active.txn_index.entries] == [1]


def test_a_producer_with_an_open_transaction_is_not_forgotten(tmp_path: Path) -> None:
    config = LogConfig(producer_id_expiration_ms=1000)
    log = open_log(tmp_path / "t-0", config)
    one, two = Producer(log, 1), Producer(log, 2)
    one.send()
    two.send()
    two.end(is_commit=True)
    log.expire_producers(NOW_MS + 100_000_000)
    assert set(log.producers.entries) == {1}
    assert log.last_stable_offset == 0
    one.end(is_commit=False)
    assert log.last_stable_offset == log.end_offset


def test_a_snapshot_of_all_producers_stands_at_every_new_segment(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    one = Producer(log, 1)
    one.send(3)
    log.roll(NOW_MS)
    one.end(is_commit=True)
    log.roll(NOW_MS)
    found = {path.stem: list(read_snapshot(path)) for path in (tmp_path / "t-0").glob("*.snapshot")}
    assert set(found) == {f"{3:020}", f"{4:020}"}
    (opened,), (ended,) = found[f"{3:020}"], found[f"{4:020}"]
    assert (opened.producer_id, opened.txn_first_offset) == (1, 0)
    assert (ended.producer_id, ended.txn_first_offset) == (1, None)


@given(
    ended=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 30), st.integers(0, 5)), max_size=40),
    asked=st.tuples(st.integers(0, 200), st.integers(1, 100)),
)
def test_the_index_gives_what_a_scan_would(ended: list[tuple[int, int, int]], asked: tuple[int, int]) -> None:
    """Entries ascend by their markers; a reader gets those that overlap what it read."""
    entries: list[AbortedTransaction] = []
    marker = 0
    for step, length, behind in ended:
        marker += step
        stable = marker + 1 if not behind else max(0, marker - behind)
        entries.append(AbortedTransaction(behind, max(0, marker - length), marker, stable))
    with TemporaryDirectory() as folder:
        index = TransactionIndex(Path(folder) / "0.txnindex")
        for entry in entries:
            index.append(entry)
        first, bound = asked[0], asked[0] + asked[1]
        for each in (index, TransactionIndex(index.path)):
            found, is_complete = each.collect(first, bound)
            scanned = [
                entry for entry in entries if entry.last_offset >= first and entry.first_offset < bound
            ]
            proof = next((entry for entry in entries if entry.last_stable_offset >= bound), None)
            assert is_complete == (proof is not None)
            assert each.ends_before(first) == all(entry.last_offset < first for entry in entries)
            if proof is not None:
                scanned = [entry for entry in scanned if entry.last_offset <= proof.last_offset]
            assert found == scanned
        index.truncate(first)
        assert index.entries == [entry for entry in entries if entry.last_offset < first]
        assert TransactionIndex(index.path).entries == index.entries


@pytest.mark.parametrize("change", ["compaction", "retention", "compaction and a roll"])
def test_what_was_read_before_its_segment_went_keeps_its_aborted_transactions(
    tmp_path: Path, change: str
) -> None:
    """Cold data is read in a thread meanwhile, and other partitions for the same answer."""
    config = LogConfig(segment_bytes=600, retention_ms=-1, cleanup_policy=("compact",))
    log = open_log(tmp_path / "t-0", config)
    one = Producer(log, 1)
    for _ in range(12):
        one.send()
        one.end(is_commit=False)
    log.close()
    log = open_log(tmp_path / "t-0", config, was_clean=True)
    found = log.read(0, 10_000)
    expected = [(0, 1), (2, 3)]
    if change == "retention":
        log.delete_records(log.segments[2].base_offset)
        log.delete_old_segments(NOW_MS).finish()
        assert log.segments[0].base_offset > 0
    else:
        compact(log)
        if change == "compaction and a roll":
            log.roll(NOW_MS)
    cold = log.cold_transactions(0, found)
    if cold is not None:
        cold()
    transactions = [(each.first_offset, each.last_offset) for each in log.aborted_transactions(0, found)]
    assert transactions[:2] == expected
    again = log.read(log.log_start_offset, 10_000)
    assert len(log.aborted_transactions(log.log_start_offset, again)) < 12


def test_a_transaction_index_that_is_read_in_a_thread_gives_way_to_who_was_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = TransactionIndex(tmp_path / "0.txnindex")
    entries = [AbortedTransaction(1, offset, offset + 1, offset + 2) for offset in (0, 2, 4)]
    for entry in entries[:2]:
        index.append(entry)
    slow = TransactionIndex(index.path)
    fstat = os.fstat

    def overtaken(fd: int) -> os.stat_result:
        monkeypatch.setattr(os, "fstat", fstat)
        slow.extend(entries[2:])
        return fstat(fd)

    monkeypatch.setattr(os, "fstat", overtaken)
    assert slow.entries == entries
    slow.flush()
    assert TransactionIndex(index.path).entries == entries
