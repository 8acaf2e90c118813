"""A log against a list of records in memory, through every operation and both kinds of stop."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kstream.log.analysis import Origin
from kstream.log.config import LogConfig
from kstream.log.errors import OffsetOutOfRange
from kstream.log.partition import PartitionLog
from kstream.records.batch import read_header
from kstream.records.compression import Codec
from tests.log.support import NOW_MS, append, batch_of, compact, open_log, read_records

CODECS = st.sampled_from([Codec.NONE, Codec.NONE, Codec.GZIP, Codec.LZ4])
Stored = tuple[int, int, bytes]
"""Offset, timestamp, value."""


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

    @rule(map_bytes=st.sampled_from([48, 1 << 20]))
    def compact(self, map_bytes: int) -> None:
        bound = compact(self.log, map_bytes=map_bytes).end_offset
        in_range = [stored for stored in self.model if stored[0] < bound]
        if not in_range:
            return
        # All records have the same key.
        self.model = [in_range[-1], *self.model[len(in_range) :]]
        last = in_range[-1][0]
        self.batches = [
            (first, end)
            for first, end in self.batches
            if first >= bound or end + 1 == self.end or first <= last <= end
        ]

    @rule(part=st.floats(0, 1))
    def truncate(self, part: float) -> None:
        offset = self.start + int((self.end - self.start) * part)
        self.log.truncate_to(offset, NOW_MS)
        if offset >= self.end:
            return
        self.batches = [batch for batch in self.batches if batch[1] < offset]
        last_kept = self.batches[-1][1] if self.batches else -1
        self.model = [stored for stored in self.model if stored[0] <= last_kept]
        assert last_kept < self.log.end_offset <= offset
        self.end = self.log.end_offset
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
            assert self.log.last_stable_offset == self.end

    @rule(size_bytes_max=st.sampled_from([1, 150, 1 << 20]))
    def records_are_equal(self, size_bytes_max: int) -> None:
        records = read_records(self.log, size_bytes_max=size_bytes_max)
        found = [(record.offset, record.timestamp_ms, record.value) for record in records]
        assert [stored for stored in found if stored[0] >= self.start] == self.model

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


TestLogAndModel = LogAndModel.TestCase
TestLogAndModel.settings = settings(max_examples=100, stateful_step_count=50)
