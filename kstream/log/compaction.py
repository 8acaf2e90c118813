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
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kstream.log.batch_reading import iter_batches
from kstream.log.chunks import Chunk, ChunkBatch
from kstream.log.cleaned_transactions import CleanedTransactions
from kstream.log.errors import CompactionAborted, LogStorageError
from kstream.log.offset_map import ENTRY_BYTES, OffsetMap
from kstream.log.segment import RELATIVE_OFFSET_MAX, Segment
from kstream.log.segment_writing import SegmentWriter
from kstream.log.swapping import CLEANED_SUFFIX, can_swap, commit, swap
from kstream.records.batch import BatchHeader, check_crc
from kstream.records.columns import Flags, Integers, RecordColumns
from kstream.records.filtering import with_records, without_records
from kstream.records.record import records_payload

if TYPE_CHECKING:
    from kstream.log.cleanable import Cleanable
    from kstream.log.partition import PartitionLog
    from kstream.log.retention import Removal

Pause = Callable[[int], None]

MAP_BYTES = 128 * 1024 * 1024
"""Kafka's default for `log.cleaner.dedupe.buffer.size`."""
PIECE_BYTES = 256 * 1024
"""Kafka's default for `log.cleaner.io.buffer.size`, half of it for reading and half for writing."""
_SLICE_RECORDS = 1024


class Compaction:
    """One round over one log. Make it on the thread that owns the log; `build_map`, then for each of `groups`
    `clean` in a thread and `swap` on the log's own.
    """

    __slots__ = (
        "_active_aborted",
        "_behind",
        "_config",
        "_epochs",
        "_first_dirty_offset",
        "_high_watermark",
        "_last_offsets",
        "_limit_offset",
        "_load_factor",
        "_log",
        "_map",
        "_map_bytes",
        "_now_ms",
        "_piece_bytes",
        "_segments",
        "_transactions",
        "bytes_kept",
        "bytes_read",
        "end_offset",
        "records_kept",
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
        self._last_offsets = {
            producer_id: entry.batches[-1].last_offset if entry.batches else -1
            for producer_id, entry in log.producers.entries.items()
        }
        self._high_watermark = log.high_watermark
        self._epochs = {producer_id: entry.epoch for producer_id, entry in log.producers.entries.items()}
        self._transactions = CleanedTransactions(())
        self.end_offset = found.first_dirty_offset
        """Where the log is clean up to, once every group is swapped."""
        self.records_read = self.records_kept = 0
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
        offset_before = start - 1
        for segment in dirty:
            chunk = Chunk()
            for header, buffer, position in iter_batches(segment, start, self._piece_bytes):
                if header.is_control:
                    transactions.is_spent(header, buffer, position)
                elif not transactions.is_aborted(header):
                    batch = ChunkBatch(header, buffer, position, offset_before)
                    chunk.add(batch, self._payload(batch))
                offset_before = header.last_offset
                if chunk.is_full:
                    if not self._enter(chunk, pause):
                        return
                    chunk = Chunk()
                pause(header.size_bytes)
            if not self._enter(chunk, pause):
                return
        self._map.latest_offset = self._limit_offset - 1

    def _next_bases(self) -> list[int]:
        return [*(segment.base_offset for segment in self._segments), self._limit_offset][1:]

    def _enter(self, chunk: Chunk, pause: Pause) -> bool:
        """Enter the keys of some batches; returns whether all of them found room."""
        records = chunk.read(pause)
        offsets = chunk.offsets(records)
        keyed = np.flatnonzero((records.key_sizes >= 0) & (offsets >= self._first_dirty_offset))
        for begin in range(0, len(keyed), _SLICE_RECORDS):
            rows = keyed[begin : begin + _SLICE_RECORDS]
            entered = self._map.put(records.keys(rows), offsets[rows])
            if entered < len(rows):
                row = rows[entered]  # the first that found no room
                batch = chunk.batches[int(np.searchsorted(chunk.bounds, row, "right")) - 1]
                last_entered = int(offsets[keyed[begin + entered - 1]]) if begin + entered else -1
                self._map.latest_offset = max(batch.offset_before, last_entered)
                self.end_offset = self._map.latest_offset + 1
                return False
            pause(0)
        return True

    def _payload(self, batch: ChunkBatch) -> bytes:
        header = batch.header
        check_crc(batch.buffer, batch.position, header.size_bytes)
        if not header.record_count:
            return b""
        limit_bytes = self._config.max_decompressed_message_bytes
        return records_payload(batch.buffer, header, batch.position, limit_bytes)

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
                chunk = Chunk()
                for header, buffer, position in iter_batches(segment, segment.base_offset, self._piece_bytes):
                    self._look(chunk, header, buffer, position)
                    if chunk.is_full:
                        self._write_kept(chunk, writer, pause)
                        chunk = Chunk()
                self._write_kept(chunk, writer, pause)
            file = group[-1].file
            times = os.stat(file.fd)
            writer.finish(self._transactions.kept, (times.st_atime_ns, times.st_mtime_ns))
        except BaseException:
            writer.segment.unlink()
            raise
        self._transactions.kept = []
        return writer.segment

    def _look(self, chunk: Chunk, header: BatchHeader, buffer: bytes, position: int) -> None:
        """Take a batch in, with its records unless none of them stays whatever the map says."""
        is_spent = False
        if header.is_control:
            is_spent = self._transactions.is_spent(header, buffer, position)
            is_gone = is_spent and self._is_past_horizon(header)
        else:
            is_gone = self._transactions.is_aborted(header)
        batch = ChunkBatch(header, buffer, position, header.base_offset - 1, is_spent)
        chunk.add(batch, None if is_gone else self._payload(batch))

    def _is_past_horizon(self, header: BatchHeader) -> bool:
        horizon_ms = header.delete_horizon_ms
        return horizon_ms is not None and horizon_ms <= self._now_ms

    def _write_kept(self, chunk: Chunk, writer: SegmentWriter, pause: Pause) -> None:
        """Write what stays of some batches."""
        records = chunk.read(pause)
        stays = self._stays(chunk, records, pause)
        bounds = chunk.bounds
        counts = _count_between(stays, bounds)
        tombstones = _count_between(stays & ~records.has_value, bounds)
        kept_bytes = 0
        for number, batch in enumerate(chunk.batches):
            self.records_read += batch.header.record_count
            self.records_kept += counts[number]
            rows = slice(bounds[number], bounds[number + 1])
            kept = self._kept(batch, counts[number], tombstones[number], records, stays, rows)
            if kept is not None:
                kept_bytes += len(kept)
                writer.append(kept)
        self.bytes_read += chunk.read_bytes
        self.bytes_kept += kept_bytes
        pause(chunk.read_bytes + kept_bytes)

    def _stays(self, chunk: Chunk, records: RecordColumns, pause: Pause) -> Flags:
        """Which records stay."""
        headers = [batch.header for batch in chunk.batches]
        offsets = chunk.offsets(records)
        stays = chunk.each_row([header.is_control for header in headers])
        stays |= offsets > self._map.latest_offset
        keeps_tombstones = chunk.each_row([not self._is_past_horizon(header) for header in headers])
        asked = np.flatnonzero(~stays & (records.key_sizes >= 0) & (records.has_value | keeps_tombstones))
        for begin in range(0, len(asked), _SLICE_RECORDS):
            rows = asked[begin : begin + _SLICE_RECORDS]
            stays[rows] = offsets[rows] >= self._map.get(records.keys(rows))
            pause(0)
        return stays

    def _kept(
        self,
        batch: ChunkBatch,
        count: int,
        tombstones: int,
        records: RecordColumns,
        stays: Flags,
        rows: slice,
    ) -> bytes | memoryview | None:
        """What stays of a batch: all of it, a smaller one, its header, or nothing."""
        header = batch.header
        if not count:
            return without_records(header) if self._must_stay(header) else None
        horizon_ms = header.delete_horizon_ms
        if horizon_ms is None and (batch.is_spent or (tombstones and not header.is_control)):
            horizon_ms = self._now_ms + self._config.delete_retention_ms
        elif count == header.record_count:
            return memoryview(batch.buffer)[batch.position : batch.position + header.size_bytes]
        return with_records(header, records.take(rows).take(stays[rows]), horizon_ms)

    def _must_stay(self, header: BatchHeader) -> bool:
        if header.next_offset == self._high_watermark:
            return True
        last_offset = self._last_offsets.get(header.producer_id)
        if last_offset is None or header.producer_id < 0:
            return False
        if last_offset >= 0:
            return header.last_offset == last_offset
        # Of this epoch there is only a marker: it has what fences the producer's earlier self.
        return header.is_control and header.producer_epoch == self._epochs[header.producer_id]

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


def _count_between(flags: Flags, bounds: Integers) -> list[int]:
    """How many are set from each bound to the next."""
    counts: list[int] = np.diff(np.append(0, np.cumsum(flags))[bounds]).tolist()
    return counts
