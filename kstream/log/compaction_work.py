"""The work of a round of compaction, by its job alone: it knows no log, and writes only files of its own.

`pause` is called after every bounded slice of work with the bytes that it read and wrote: who runs the round
lets others have the interpreter there, throttles, or ends the round with an exception.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kstream.log.batch_cleaning import BatchCleaner, Pause
from kstream.log.batch_reading import iter_batches_from
from kstream.log.chunks import CHUNK_BYTES, Chunk, ChunkBatch
from kstream.log.cleanable import SegmentSizes
from kstream.log.cleaned_transactions import CleanedTransactions
from kstream.log.compaction_job import CleanedGroup, CompactionJob, Outcome
from kstream.log.errors import CompactionAborted
from kstream.log.indexes import CorruptIndex, OffsetIndex
from kstream.log.offset_map import ENTRY_BYTES, OffsetMap
from kstream.log.platform import Platform
from kstream.log.segment import RELATIVE_OFFSET_MAX
from kstream.log.segment_files import segment_path
from kstream.log.segment_writing import SegmentWriter
from kstream.log.swapping import CLEANED_SUFFIX
from kstream.log.txn_index import AbortedTransaction, TransactionIndex
from kstream.records.batch import HEADER_SIZE, BatchHeader, read_header
from kstream.records.columns import SLICE_RECORDS
from kstream.records.errors import CorruptBatch

_GROUP_SEGMENTS_MAX = 64
"""They are open and renamed all at once, on the thread that owns the log: more are for a later round."""


class CompactionWork:
    """One round: `build_map`, then `clean` each of `groups`."""

    __slots__ = ("_cleaner", "_job", "_map", "_platform", "_transactions", "outcome")

    def __init__(self, job: CompactionJob, platform: Platform) -> None:
        self._job = job
        self._platform = platform
        self._map = OffsetMap(ENTRY_BYTES, expected_count=0)
        self.outcome = Outcome(job.first_dirty_offset, 0, 0, 0, 0)

    def run(self, pause: Pause) -> Iterator[CleanedGroup]:
        """The whole round. Each group that comes is to be swapped before the next is asked for: so no more
        room is taken than one needs.

        Raises CorruptBatch, CorruptTransactionIndex, CompactionAborted, OSError, or what `pause` raises.
        """
        self.build_map(pause)
        for group in self.groups():
            yield self.clean(group, pause)

    def build_map(self, pause: Pause) -> None:
        """Enter the keys of the dirty part, as many as there is room for.

        Raises CorruptBatch, CorruptTransactionIndex, CompactionAborted, OSError.
        """
        job = self._job
        self._check_directory()
        start = job.first_dirty_offset
        aborted = self._aborted()
        self._transactions = CleanedTransactions(aborted)
        # Transactions that ended before the dirty part are not met there.
        transactions = CleanedTransactions(entry for entry in aborted if entry.last_offset >= start)
        self._map = OffsetMap(
            job.map_bytes, expected_count=job.limit_offset - start, load_factor=job.load_factor
        )
        self.outcome = self.outcome._replace(end_offset=job.limit_offset)
        self._enter_keys(transactions, pause)
        self._cleaner = BatchCleaner(
            self._map,
            self._map.newest(pause),
            self._transactions,
            job.producers,
            dirty_from=start,
            high_watermark=job.high_watermark,
            now_ms=job.now_ms,
            delete_retention_ms=job.config.delete_retention_ms,
        )

    def _check_directory(self) -> None:
        """Raise CompactionAborted if the log was deleted, and another one stands under its name."""
        if os.stat(self._job.directory).st_ino != self._job.inode:
            raise CompactionAborted(f"{self._job.directory} is another log than it was")

    def _aborted(self) -> list[AbortedTransaction]:
        bases = (*(base for base, _ in self._job.segments), *self._job.base_offsets_behind)
        entries: list[AbortedTransaction] = []
        for base_offset in bases:
            entries += TransactionIndex(self._path(base_offset, ".txnindex")).entries
        return entries + list(self._job.active_aborted)

    def _path(self, base_offset: int, suffix: str) -> Path:
        return segment_path(self._job.directory, base_offset, suffix)

    def _next_bases(self) -> list[int]:
        return [*(base for base, _ in self._job.segments), self._job.limit_offset][1:]

    def _enter_keys(self, transactions: CleanedTransactions, pause: Pause) -> None:
        start = offset_before = self._job.first_dirty_offset
        for (base_offset, size_bytes), next_base in zip(self._job.segments, self._next_bases(), strict=True):
            if next_base <= start:
                continue
            chunk = self._new_chunk()
            for header, buffer, position in self._batches(base_offset, size_bytes, start):
                if header.is_control:
                    transactions.is_spent(header, buffer, position)
                elif not transactions.is_aborted(header):
                    chunk.add(ChunkBatch(header, buffer, position, offset_before))
                offset_before = header.last_offset
                if chunk.is_full:
                    if not self._enter(chunk, pause):
                        return
                    chunk = self._new_chunk()
                pause(header.size_bytes)
            if not self._enter(chunk, pause):
                return
        self._map.latest_offset = self._job.limit_offset - 1

    def _new_chunk(self) -> Chunk:
        return Chunk(self._job.config.max_decompressed_message_bytes)

    def _batches(
        self, base_offset: int, size_bytes: int, offset: int
    ) -> Iterator[tuple[BatchHeader, bytes, int]]:
        """A segment's batches that end at or behind an offset."""
        fd = os.open(self._path(base_offset, ".log"), os.O_RDONLY | os.O_CLOEXEC)
        try:
            begin = self._begin(fd, base_offset, offset, size_bytes) if offset > base_offset else 0
            for found in iter_batches_from(fd, begin, size_bytes, self._job.piece_bytes):
                if found[0].last_offset >= offset:
                    yield found
        finally:
            os.close(fd)

    def _begin(self, fd: int, base_offset: int, offset: int, size_bytes: int) -> int:
        """A position in front of an offset's batch, by the index. One that is missing or wrong is for the
        log's owner to make anew; the whole segment is read then.
        """
        index = OffsetIndex(self._path(base_offset, ".index"))
        try:
            index.load()
            entry = index.floor(offset - base_offset)
            if entry is not None and entry[1] < size_bytes:
                header = read_header(os.pread(fd, HEADER_SIZE, entry[1]))
                if header.last_offset == base_offset + entry[0]:
                    return entry[1]
        except (CorruptIndex, CorruptBatch, FileNotFoundError):
            pass
        return 0

    def _enter(self, chunk: Chunk, pause: Pause) -> bool:
        """Enter the keys of some batches; returns whether all of them found room."""
        records = chunk.read(pause)
        offsets = chunk.offsets(records)
        keyed = np.flatnonzero((records.key_sizes >= 0) & (offsets >= self._job.first_dirty_offset))
        for begin in range(0, len(keyed), SLICE_RECORDS):
            rows = keyed[begin : begin + SLICE_RECORDS]
            entered = self._map.put(records.keys(rows), offsets[rows], records.has_value[rows])
            if entered < len(rows):
                row = rows[entered]  # the first that found no room
                batch = chunk.batches[int(np.searchsorted(chunk.bounds, row, "right")) - 1]
                last_entered = int(offsets[keyed[begin + entered - 1]]) if begin + entered else -1
                self._map.latest_offset = max(batch.offset_before, last_entered)
                self.outcome = self.outcome._replace(end_offset=self._map.latest_offset + 1)
                return False
            pause(0)
        return True

    def groups(self) -> list[SegmentSizes]:
        """The segments to clean, in runs that fit into one segment afterwards. Raises OSError."""
        config = self._job.config
        groups: list[SegmentSizes] = []
        size_bytes = index_bytes = time_index_bytes = 0
        for segment, next_base in zip(self._job.segments, self._next_bases(), strict=True):
            base_offset, own_bytes = segment
            if base_offset >= self.outcome.end_offset:
                break
            own_index_bytes = self._index_bytes(base_offset, ".index")
            own_time_index_bytes = self._index_bytes(base_offset, ".timeindex")
            size_bytes += own_bytes
            index_bytes += own_index_bytes
            time_index_bytes += own_time_index_bytes
            if (
                groups
                and len(groups[-1]) < _GROUP_SEGMENTS_MAX
                and size_bytes <= config.segment_bytes
                and max(index_bytes, time_index_bytes) <= config.segment_index_bytes
                and (not own_bytes or next_base - 1 - groups[-1][0][0] <= RELATIVE_OFFSET_MAX)
            ):
                groups[-1] = (*groups[-1], segment)
                continue
            groups.append((segment,))
            size_bytes = own_bytes
            index_bytes, time_index_bytes = own_index_bytes, own_time_index_bytes
        return groups

    def _index_bytes(self, base_offset: int, suffix: str) -> int:
        try:
            return os.stat(self._path(base_offset, suffix)).st_size
        except FileNotFoundError:  # the log's owner makes it anew when it is asked for
            return 0

    def clean(self, group: SegmentSizes, pause: Pause) -> CleanedGroup:
        """Write what stays of these segments into a new one, synced, under a name that no log has.

        Raises CorruptBatch, CompactionAborted, OSError, or what `pause` raises; nothing is left behind then.
        """
        job = self._job
        self._check_directory()
        writer = SegmentWriter(
            job.directory, group[0][0], self._platform, job.config, CLEANED_SUFFIX, job.piece_bytes
        )
        cleaned = writer.segment
        try:
            for base_offset, size_bytes in group:
                self._write_kept(base_offset, size_bytes, writer, pause)
            times = os.stat(self._path(group[-1][0], ".log"))
            writer.finish(self._transactions.kept, (times.st_atime_ns, times.st_mtime_ns))
        except BaseException:
            cleaned.unlink()
            raise
        self._transactions.kept = []
        found = CleanedGroup(
            tuple(base_offset for base_offset, _ in group),
            cleaned.size_bytes,
            cleaned.largest_timestamp_ms,
            cleaned.max_timestamp_offset,
        )
        cleaned.abandon()
        return found

    def _write_kept(self, base_offset: int, size_bytes: int, writer: SegmentWriter, pause: Pause) -> None:
        batches: list[ChunkBatch] = []
        read_bytes = 0
        for found in self._batches(base_offset, size_bytes, base_offset):
            batches.append(self._cleaner.take_in(*found))
            read_bytes += found[0].size_bytes
            if read_bytes >= CHUNK_BYTES:
                self._write(batches, read_bytes, writer, pause)
                batches = []
                read_bytes = 0
        self._write(batches, read_bytes, writer, pause)

    def _write(self, batches: list[ChunkBatch], read_bytes: int, writer: SegmentWriter, pause: Pause) -> None:
        kept_bytes = 0
        for kept in self._cleaner.kept(batches, pause, self._job.config.max_decompressed_message_bytes):
            if kept is not None:
                kept_bytes += len(kept)
                writer.append(kept)
        before = self.outcome
        self.outcome = Outcome(
            before.end_offset,
            before.records_read + sum(batch.header.record_count for batch in batches),
            self._cleaner.records_kept,
            before.bytes_read + read_bytes,
            before.bytes_kept + kept_bytes,
        )
        pause(read_bytes + kept_bytes)
