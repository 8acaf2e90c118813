"""Compaction: of each key only the last record stays (`cleanup.policy=compact`).

A round takes a log's dirty part, enters keys and their last offsets into a map until that is full, and then
writes every segment from the oldest to where the map ends anew, without the records that a later one of the
same key supersedes. Offsets stay; so do batch boundaries. What else stays, as in Kafka:

- a record without a value, a tombstone, until `delete.retention.ms` after the first round that met it: that
  round writes the delete horizon into the batch (KIP-534);
- transaction markers likewise, counted from the first round that finds none of their transaction's batches;
- the last batch of every producer that is known, even without records: its sequence and epoch are needed;
- the last batch below the high watermark, even without records: where the active segment is empty, it is
  the only one that tells the log's end.

Everything here but `swap` runs in a thread, beside appends and reads, on segments that change no more.
`pause` is called after every bounded slice of work with the bytes that it read and wrote: who runs the round
lets others have the interpreter there, throttles, or ends the round with an exception.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from kstream.log.batch_cleaning import BatchCleaner, KnownProducers, Pause
from kstream.log.batch_reading import iter_batches
from kstream.log.chunks import CHUNK_BYTES, Chunk, ChunkBatch
from kstream.log.cleaned_transactions import CleanedTransactions
from kstream.log.errors import CompactionAborted, LogStorageError
from kstream.log.offset_map import ENTRY_BYTES, OffsetMap
from kstream.log.segment import RELATIVE_OFFSET_MAX, Segment
from kstream.log.segment_writing import SegmentWriter
from kstream.log.swapping import CLEANED_SUFFIX, can_swap, commit, swap
from kstream.records.columns import SLICE_RECORDS

if TYPE_CHECKING:
    from kstream.log.cleanable import Cleanable
    from kstream.log.partition import PartitionLog
    from kstream.log.retention import Removal

MAP_BYTES = 128 * 1024 * 1024
"""Kafka's default for `log.cleaner.dedupe.buffer.size`."""
PIECE_BYTES = 256 * 1024
"""Kafka's default for `log.cleaner.io.buffer.size`, half of it for reading and half for writing."""


class Compaction:
    """One round over one log. Make it on the thread that owns the log; `build_map`, then for each of `groups`
    `clean` in a thread and `swap` on the log's own.
    """

    __slots__ = (
        "_active_aborted",
        "_behind",
        "_cleaner",
        "_config",
        "_first_dirty_offset",
        "_high_watermark",
        "_limit_offset",
        "_load_factor",
        "_log",
        "_map",
        "_map_bytes",
        "_now_ms",
        "_piece_bytes",
        "_producers",
        "_segments",
        "_transactions",
        "bytes_kept",
        "bytes_read",
        "end_offset",
        "records_read",
    )

    def __init__(
        self,
        log: PartitionLog,
        found: Cleanable,
        now_ms: int,
        *,
        map_bytes: int = MAP_BYTES,
        load_factor: float = 0.9,
        piece_bytes: int = PIECE_BYTES,
    ) -> None:
        """`map_bytes` bound the keys of a round, `piece_bytes` what is read or written at once."""
        self._log = log
        self._config = log.config
        self._now_ms = now_ms
        self._first_dirty_offset = found.first_dirty_offset
        self._segments = [segment for segment in log.segments if segment.base_offset < found.end_offset]
        self._behind = [segment for segment in log.segments if segment.base_offset >= found.end_offset]
        self._limit_offset = found.end_offset
        self._map_bytes = map_bytes
        self._load_factor = load_factor
        self._piece_bytes = piece_bytes
        self._map = OffsetMap(ENTRY_BYTES, expected_count=0)
        # Snapshots: the log goes on, and what comes now lies behind what this round touches.
        self._active_aborted = list(log.segments.active.txn_index.entries)
        known = log.producers.entries.items()
        self._producers = KnownProducers(
            {id_: entry.batches[-1].last_offset if entry.batches else -1 for id_, entry in known},
            {id_: entry.epoch for id_, entry in known},
        )
        self._high_watermark = log.high_watermark
        self.end_offset = found.first_dirty_offset
        """Where the log is clean up to, once every group is swapped."""
        self.records_read = 0
        self.bytes_read = self.bytes_kept = 0

    # In a thread

    def build_map(self, pause: Pause) -> None:
        """Enter the keys of the dirty part, as many as there is room for.

        Raises CorruptBatch, CorruptTransactionIndex, OSError.
        """
        start = self._first_dirty_offset
        aborted = [
            entry
            for segment in (*self._segments, *self._behind)
            for entry in (
                self._active_aborted if segment is self._log.segments.active else segment.txn_index.entries
            )
        ]
        self._transactions = CleanedTransactions(aborted)
        # Transactions that ended before the dirty part are not met there.
        transactions = CleanedTransactions(entry for entry in aborted if entry.last_offset >= start)
        dirty = [
            segment
            for segment, next_base in zip(self._segments, self._next_bases(), strict=True)
            if next_base > start
        ]
        self._map = OffsetMap(
            self._map_bytes, expected_count=self._limit_offset - start, load_factor=self._load_factor
        )
        self.end_offset = self._limit_offset
        self._enter_keys(dirty, transactions, pause)
        self._cleaner = BatchCleaner(
            self._map,
            self._map.newest(pause),
            self._transactions,
            self._producers,
            dirty_from=start,
            high_watermark=self._high_watermark,
            now_ms=self._now_ms,
            delete_retention_ms=self._config.delete_retention_ms,
        )

    def _enter_keys(self, dirty: list[Segment], transactions: CleanedTransactions, pause: Pause) -> None:
        start = offset_before = self._first_dirty_offset
        for segment in dirty:
            chunk = self._new_chunk()
            for header, buffer, position in iter_batches(segment, start, self._piece_bytes):
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
        self._map.latest_offset = self._limit_offset - 1

    def _new_chunk(self) -> Chunk:
        return Chunk(self._config.max_decompressed_message_bytes)

    def _next_bases(self) -> list[int]:
        return [*(segment.base_offset for segment in self._segments), self._limit_offset][1:]

    def _enter(self, chunk: Chunk, pause: Pause) -> bool:
        """Enter the keys of some batches; returns whether all of them found room."""
        records = chunk.read(pause)
        offsets = chunk.offsets(records)
        keyed = np.flatnonzero((records.key_sizes >= 0) & (offsets >= self._first_dirty_offset))
        for begin in range(0, len(keyed), SLICE_RECORDS):
            rows = keyed[begin : begin + SLICE_RECORDS]
            entered = self._map.put(records.keys(rows), offsets[rows], records.has_value[rows])
            if entered < len(rows):
                row = rows[entered]  # the first that found no room
                batch = chunk.batches[int(np.searchsorted(chunk.bounds, row, "right")) - 1]
                last_entered = int(offsets[keyed[begin + entered - 1]]) if begin + entered else -1
                self._map.latest_offset = max(batch.offset_before, last_entered)
                self.end_offset = self._map.latest_offset + 1
                return False
            pause(0)
        return True

    def groups(self) -> list[list[Segment]]:
        """The segments to clean, in runs that fit into one segment afterwards. Call it in a thread.

        Raises OSError.
        """
        config = self._config
        groups: list[list[Segment]] = []
        size_bytes = index_bytes = time_index_bytes = 0
        for segment, next_base in zip(self._segments, self._next_bases(), strict=True):
            if segment.base_offset >= self.end_offset:
                break
            size_bytes += segment.size_bytes
            index_bytes += segment.index.count * 8
            time_index_bytes += segment.time_index.count * 12
            if (
                groups
                and size_bytes <= config.segment_bytes
                and max(index_bytes, time_index_bytes) <= config.segment_index_bytes
                and (
                    not segment.size_bytes or next_base - 1 - groups[-1][0].base_offset <= RELATIVE_OFFSET_MAX
                )
            ):
                groups[-1].append(segment)
                continue
            groups.append([segment])
            size_bytes = segment.size_bytes
            index_bytes = segment.index.count * 8
            time_index_bytes = segment.time_index.count * 12
        return groups

    def clean(self, group: list[Segment], pause: Pause) -> Segment:
        """Write what stays of these segments into a new one, synced, under a name that no log has.

        Raises CorruptBatch, OSError, or what `pause` raises; nothing is left behind then.
        """
        log = self._log
        writer = SegmentWriter(
            log.directory,
            group[0].base_offset,
            log.platform,
            self._config,
            CLEANED_SUFFIX,
            self._piece_bytes,
        )
        try:
            for segment in group:
                segment.pin()
                self._write_kept(segment, writer, pause)
            file = group[-1].file
            times = os.stat(file.fd)
            writer.finish(self._transactions.kept, (times.st_atime_ns, times.st_mtime_ns))
        except BaseException:
            writer.segment.unlink()
            raise
        self._transactions.kept = []
        return writer.segment

    def _write_kept(self, segment: Segment, writer: SegmentWriter, pause: Pause) -> None:
        batches: list[ChunkBatch] = []
        read_bytes = 0
        for found in iter_batches(segment, segment.base_offset, self._piece_bytes):
            batches.append(self._cleaner.take_in(*found))
            read_bytes += found[0].size_bytes
            if read_bytes >= CHUNK_BYTES:
                self._write(batches, read_bytes, writer, pause)
                batches = []
                read_bytes = 0
        self._write(batches, read_bytes, writer, pause)

    def _write(self, batches: list[ChunkBatch], read_bytes: int, writer: SegmentWriter, pause: Pause) -> None:
        kept_bytes = 0
        for kept in self._cleaner.kept(batches, pause, self._config.max_decompressed_message_bytes):
            if kept is not None:
                kept_bytes += len(kept)
                writer.append(kept)
        self.records_read += sum(batch.header.record_count for batch in batches)
        self.bytes_read += read_bytes
        self.bytes_kept += kept_bytes
        pause(read_bytes + kept_bytes)

    @property
    def records_kept(self) -> int:
        """Of those that were read."""
        return self._cleaner.records_kept

    # On the log's own thread

    def swap(self, group: list[Segment], cleaned: Segment) -> Removal:
        """Put the new segment in the place of its group; `finish` the removal in a thread.

        Raises:
            CompactionAborted: the group does not stand in the log any more.
            LogStorageError: the disk refused.
        """
        log = self._log
        if not can_swap(log, group):
            cleaned.unlink()
            raise CompactionAborted(f"{log.directory} changed while it was compacted")
        try:
            commit(group, cleaned)
        except OSError as error:
            cleaned.unlink()
            raise LogStorageError(f"{log.directory} was not compacted: {error}") from error
        try:
            return swap(log, group, cleaned)
        except OSError as error:
            log.go_offline(error)
            raise LogStorageError(f"{log.directory} is offline: {error}") from error
