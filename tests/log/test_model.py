"""A log against a list of records in memory, through every operation and both kinds of stop.

The model's transactions are a fold over what was appended: it knows which are open, which records were
aborted, and from that what a reader of either isolation level may see. Only a follower truncates, and never
below what was committed, so what was there when compaction ran stays once there are transactions.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kstream.log.analysis import Origin
from kstream.log.config import LogConfig
from kstream.log.errors import OffsetOutOfRange
from kstream.log.partition import PartitionLog
from kstream.log.segment import Segment
from kstream.records.batch import iter_headers, read_header
from kstream.records.compression import Codec
from kstream.records.control import read_end_txn_marker
from kstream.records.record import iter_records
from tests.log.support import NOW_MS, append, batch_of, compact, end_transaction, open_log, read_records

CODECS = st.sampled_from([Codec.NONE, Codec.NONE, Codec.GZIP, Codec.LZ4])
PRODUCERS = st.integers(0, 2)
Stored = tuple[int, int, bytes]
"""Offset, timestamp, value. Markers are among them, as readers meet them."""


class Transactional(NamedTuple):
    """A batch of a transaction, or the marker that ends it."""

    producer_id: int
    first_offset: int
    last_offset: int
    is_commit: bool | None = None
    """None for a batch of records."""


class LogAndModel(RuleBasedStateMachine):
    """The model is what a reader may see: records in order, and where the log begins and ends."""

    log: PartitionLog

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="kstream-log-"))
        self.model: list[Stored] = []
        self.start = self.end = 0
        self.batches: list[tuple[int, int]] = []  # first and last offset
        self.epoch = 0
        self.counter = 0
        self.producer_ids = [1, 2, 3]  # of the producers that are there now
        self.sequences: dict[int, int] = {}
        self.transactional: list[Transactional] = []
        self.compacted_to = 0

    @initialize(segment_bytes=st.sampled_from([300, 1000, 100_000]), interval=st.sampled_from([0, 200, 4096]))
    def begin(self, segment_bytes: int, interval: int) -> None:
        self.config = LogConfig(segment_bytes=segment_bytes, index_interval_bytes=interval, retention_ms=-1)
        self._open(was_clean=False)

    def _open(self, *, was_clean: bool, recovery_point: int = 0) -> None:
        self.log = open_log(
            self.directory / "t-0",
            self.config,
            was_clean=was_clean,
            recovery_point=recovery_point,
            log_start_offset=self.start,
        )

    @rule(count=st.integers(1, 4), codec=CODECS, jump_ms=st.integers(-50, 50))
    def append_batch(self, count: int, codec: Codec, jump_ms: int) -> None:
        self.counter += 1
        value = b"value %d" % self.counter
        timestamp_ms = NOW_MS + self.counter * 10 + jump_ms
        batch = batch_of(count, timestamp_ms=timestamp_ms, value=value, codec=codec)
        result = append(self.log, batch, leader_epoch=self.epoch)
        assert result.base_offset == self.end
        self.batches.append((self.end, self.end + count - 1))
        for number in range(count):
            self.model.append((self.end + number, timestamp_ms + number, value))
        self.end += count

    @rule(gap=st.integers(0, 5), count=st.integers(1, 3))
    def replicate_batches(self, gap: int, count: int) -> None:
        self.counter += 1
        value = b"copy %d" % self.counter
        batches = []
        for _ in range(count):
            base_offset = self.end + gap
            batches.append(
                batch_of(2, base_offset=base_offset, value=value, partition_leader_epoch=self.epoch)
            )
            self.batches.append((base_offset, base_offset + 1))
            self.model += [(base_offset, NOW_MS, value), (base_offset + 1, NOW_MS + 1, value)]
            self.end = base_offset + 2
        if sum(map(len, batches)) <= self.config.segment_bytes:
            append(self.log, *batches, origin=Origin.REPLICATION)
        else:
            for batch in batches:
                append(self.log, batch, origin=Origin.REPLICATION)

    @rule(producer=PRODUCERS, count=st.integers(1, 3), codec=CODECS)
    def append_in_transaction(self, producer: int, count: int, codec: Codec) -> None:
        producer_id = self.producer_ids[producer]
        self.counter += 1
        value = b"in transaction %d" % self.counter
        timestamp_ms = NOW_MS + self.counter * 10
        sequence = self.sequences.get(producer_id, 0)
        batch = batch_of(
            count,
            timestamp_ms=timestamp_ms,
            value=value,
            codec=codec,
            producer_id=producer_id,
            producer_epoch=0,
            base_sequence=sequence,
            is_transactional=True,
        )
        result = append(self.log, batch, leader_epoch=self.epoch)
        assert (result.base_offset, result.is_duplicate) == (self.end, False)
        last_offset = self.end + count - 1
        self.sequences[producer_id] = sequence + count
        self.batches.append((self.end, last_offset))
        self.transactional.append(Transactional(producer_id, self.end, last_offset))
        self.model += [(self.end + number, timestamp_ms + number, value) for number in range(count)]
        self.end += count
        assert append(self.log, batch, leader_epoch=self.epoch).is_duplicate

    @precondition(lambda self: self.open_transactions())
    @rule(number=st.integers(0, 5), is_commit=st.booleans())
    def end_a_transaction(self, number: int, is_commit: bool) -> None:
        still_open = sorted(self.open_transactions())
        producer_id = still_open[number % len(still_open)]
        assert end_transaction(self.log, producer_id, is_commit=is_commit).base_offset == self.end
        found = self.log.read(self.end, 1)
        (marker,) = iter_records(found.view(), 0)
        self.batches.append((self.end, self.end))
        self.transactional.append(Transactional(producer_id, self.end, self.end, is_commit))
        self.model.append((self.end, NOW_MS, marker.value or b""))
        self.end += 1

    def open_transactions(self, begin: int = 0) -> dict[int, int]:
        """First offset, behind `begin`, of each transaction that has not ended, by producer id."""
        still_open: dict[int, int] = {}
        for batch in self.transactional:
            if batch.is_commit is not None:
                still_open.pop(batch.producer_id, None)
            elif batch.last_offset >= begin:
                still_open.setdefault(batch.producer_id, batch.first_offset)
        return still_open

    def aborted_and_markers(self) -> tuple[set[int], set[int]]:
        """Offsets of aborted records, and of markers."""
        aborted: set[int] = set()
        markers: set[int] = set()
        unfinished: dict[int, set[int]] = defaultdict(set)
        for batch in self.transactional:
            if batch.is_commit is None:
                unfinished[batch.producer_id].update(range(batch.first_offset, batch.last_offset + 1))
            else:
                markers.add(batch.first_offset)
                records = unfinished.pop(batch.producer_id)
                if not batch.is_commit:
                    aborted |= records
        return aborted, markers

    def last_stable_offset(self, begin: int) -> int:
        """As it is where nothing of a transaction is known from before `begin`."""
        return max(min(self.open_transactions(begin).values(), default=self.end), self.start)

    @rule()
    def begin_epoch(self) -> None:
        self.epoch += 1

    @rule()
    def roll(self) -> None:
        self.log.roll(NOW_MS)

    @rule()
    def flush(self) -> None:
        assert self.log.flush() == self.end

    @rule()
    def release_files(self) -> None:
        self.log.release_files()

    @rule(part=st.floats(0, 1))
    def delete_records(self, part: float) -> None:
        self.start = max(self.start, int(self.end * part))
        assert self.log.delete_records(int(self.end * part)) == self.start
        self.log.delete_old_segments(NOW_MS).finish()
        self.model = [stored for stored in self.model if stored[0] >= self.start]

    @rule(share=st.floats(0, 1))
    def retain_by_size(self, share: float) -> None:
        total_bytes = self.log.size_bytes
        self.config.retention_bytes = int(total_bytes * share)
        surplus_bytes = total_bytes - self.config.retention_bytes
        for segment, end_offset in self.segments_and_ends():
            is_active = segment is self.log.segments.active
            if is_active and not segment.size_bytes:
                break
            if surplus_bytes < segment.size_bytes and (is_active or end_offset > self.start):
                break
            surplus_bytes -= segment.size_bytes
            self.start = max(self.start, end_offset)
        self.log.delete_old_segments(NOW_MS).finish()
        self.config.retention_bytes = -1
        self.model = [stored for stored in self.model if stored[0] >= self.start]

    @rule(ago=st.integers(-20, 300))
    def retain_by_time(self, ago: int) -> None:
        now_ms = NOW_MS + self.counter * 10 + 1000 - ago
        self.config.retention_ms = 1000
        for segment, end_offset in self.segments_and_ends():
            is_active = segment is self.log.segments.active
            if not is_active and end_offset <= self.start:
                continue
            if not segment.size_bytes or segment.largest_timestamp_ms >= now_ms - 1000:
                break
            self.start = max(self.start, end_offset)
        self.log.delete_old_segments(now_ms).finish()
        self.config.retention_ms = -1
        self.model = [stored for stored in self.model if stored[0] >= self.start]

    def segments_and_ends(self) -> list[tuple[Segment, int]]:
        """The log's segments, and the offset behind each."""
        bases = [segment.base_offset for segment in self.log.segments][1:]
        return [
            (segment, end_offset)
            for segment, end_offset in zip(self.log.segments, [*bases, self.end], strict=True)
        ]

    @rule(map_bytes=st.sampled_from([48, 1 << 20]))
    def compact(self, map_bytes: int) -> None:
        segments = self.segments_and_ends()
        bound = compact(self.log, map_bytes=map_bytes).end_offset
        self.compacted_to = self.end  # all of it is committed, and markers behind the bound have counted
        aborted, markers = self.aborted_and_markers()
        # Aborted records go from every segment that is written anew, be they behind the bound.
        rewritten_to = max((end for segment, end in segments if segment.base_offset < bound), default=0)
        model = [stored for stored in self.model if stored[0] >= rewritten_to or stored[0] not in aborted]
        # All records have the same key.
        last = max(
            (stored[0] for stored in model if stored[0] < bound and stored[0] not in markers), default=-1
        )
        self.model = [
            stored for stored in model if stored[0] >= bound or stored[0] == last or stored[0] in markers
        ]
        self.forget_deleted_producers()

    def forget_deleted_producers(self) -> None:
        """Compaction takes older snapshots along: of a producer whose batches retention deleted, a restart
        may know the last marker alone, and then the next sequence is 0, in Kafka too.
        """
        for number, producer_id in enumerate(self.producer_ids):
            written = [
                batch.last_offset
                for batch in self.transactional
                if batch.producer_id == producer_id and batch.is_commit is None
            ]
            if written and written[-1] < self.start:
                self.producer_ids[number] = max(self.producer_ids) + 1

    @rule(part=st.floats(0, 1))
    def truncate(self, part: float) -> None:
        lowest = min(max(self.start, self.compacted_to), self.end) if self.transactional else self.start
        offset = lowest + int((self.end - lowest) * part)
        self.log.truncate_to(offset, NOW_MS)
        if offset >= self.end:
            return
        kept = {number for first, last in self.batches if last < offset for number in range(first, last + 1)}
        self.batches = [batch for batch in self.batches if batch[1] < offset]
        self.model = [stored for stored in self.model if stored[0] in kept]
        self.transactional = [batch for batch in self.transactional if batch.last_offset < offset]
        # What producers sent last may be gone, and with it the sequence that is expected next.
        self.producer_ids = [max(self.producer_ids) + 1 + number for number in range(3)]
        assert max((stored[0] for stored in self.model), default=-1) < self.log.end_offset <= offset
        self.end = self.log.end_offset
        # Of batches up to `offset` compaction may have left none: other records get their offsets.
        self.batches = [batch for batch in self.batches if batch[1] < self.end]
        self.start = min(self.start, self.end)

    @rule()
    def stop_and_start(self) -> None:
        self.log.close()
        self._open(was_clean=True)

    @rule(knows_recovery_point=st.booleans())
    def crash_and_start(self, knows_recovery_point: bool) -> None:
        recovery_point = self.log.recovery_point if knows_recovery_point else 0
        del self.log
        self._open(was_clean=False, recovery_point=recovery_point)

    @invariant()
    def ends_are_equal(self) -> None:
        if hasattr(self, "log"):
            assert (self.log.log_start_offset, self.log.end_offset) == (self.start, self.end)
            # Of a transaction that began before the log's start, a restart may know only what is left.
            lowest = self.last_stable_offset(0)
            assert lowest <= self.log.last_stable_offset <= self.last_stable_offset(self.start)
            if all(first >= self.start for first in self.open_transactions().values()):
                assert self.log.last_stable_offset == lowest

    @rule(size_bytes_max=st.sampled_from([1, 150, 1 << 20]))
    def records_are_equal(self, size_bytes_max: int) -> None:
        records = read_records(self.log, size_bytes_max=size_bytes_max)
        found = [(record.offset, record.timestamp_ms, record.value) for record in records]
        assert [stored for stored in found if stored[0] >= self.start] == self.model

    @rule(size_bytes_max=st.sampled_from([1, 150, 1 << 20]))
    def committed_records_are_equal(self, size_bytes_max: int) -> None:
        aborted, markers = self.aborted_and_markers()
        stable = self.log.last_stable_offset
        expected = [
            stored[0]
            for stored in self.model
            if self.start <= stored[0] < stable and stored[0] not in aborted and stored[0] not in markers
        ]
        found = read_committed(self.log, stable, size_bytes_max)
        assert [offset for offset in found if offset >= self.start] == expected

    @rule(part=st.floats(0, 1))
    def any_offset_is_found(self, part: float) -> None:
        offset = self.start + int((self.end - self.start) * part)
        rest = [stored for stored in self.model if stored[0] >= offset]
        found = self.log.read(offset, 1)
        if rest:
            header = read_header(found.view())
            assert header.last_offset >= offset
            assert header.base_offset <= rest[0][0]
            assert not header.record_count or rest[0][0] <= header.last_offset
        with pytest.raises(OffsetOutOfRange):
            self.log.read(self.end + 1, 1)

    @rule(ago=st.integers(-100, 300))
    def times_are_found(self, ago: int) -> None:
        timestamp_ms = NOW_MS + self.counter * 10 - ago
        expected = next((stored[:2] for stored in self.model if stored[1] >= timestamp_ms), None)
        assert self.log.offset_for_timestamp(timestamp_ms) == expected

    @rule()
    def largest_time_is_found(self) -> None:
        found = self.log.max_timestamp()
        largest = max((stored[1] for stored in self.model), default=None)
        if largest is not None and found is not None and found.offset >= self.start:
            assert found == next(stored[:2] for stored in self.model if stored[1] == largest)

    @rule()
    def sizes_are_equal(self) -> None:
        assert self.log.size_bytes == sum(segment.size_bytes for segment in self.log.segments)
        for segment in self.log.segments:
            assert segment.path.stat().st_size >= segment.size_bytes

    def teardown(self) -> None:
        shutil.rmtree(self.directory)


def read_committed(log: PartitionLog, stable: int, size_bytes_max: int) -> list[int]:
    """Offsets of the records that a client with read_committed makes out, fetch by fetch."""
    offsets: list[int] = []
    next_offset = log.log_start_offset
    while next_offset < stable:
        found = log.read(next_offset, size_bytes_max, end_offset=stable)
        view = found.view()
        if not view:
            break  # what was below the last stable offset was compacted away
        told = sorted(log.aborted_transactions(next_offset, found), key=lambda entry: entry.first_offset)
        ignored: set[int] = set()
        position = 0
        for header in iter_headers(view, partial_ok=True):
            while told and told[0].first_offset <= header.last_offset:
                ignored.add(told.pop(0).producer_id)
            if header.is_control:
                marker = read_end_txn_marker(view, position, header=header)
                if marker is not None and not marker.is_commit:
                    ignored.discard(header.producer_id)
            elif not (header.is_transactional and header.producer_id in ignored):
                offsets += [record.offset for record in iter_records(view, position, header=header)]
            position += header.size_bytes
            next_offset = header.next_offset
    return offsets


TestLogAndModel = LogAndModel.TestCase
TestLogAndModel.settings = settings(max_examples=100, stateful_step_count=50)
