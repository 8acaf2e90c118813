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
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from kstream.log.batch_reading import iter_batches
from kstream.log.cleaned_transactions import CleanedTransactions
from kstream.log.errors import LogStorageError
from kstream.log.offset_map import ENTRY_BYTES, OffsetMap
from kstream.log.segment import RELATIVE_OFFSET_MAX, Segment
from kstream.log.segment_writing import SegmentWriter
from kstream.log.swapping import CLEANED_SUFFIX, can_swap, commit, swap
from kstream.records.batch import BatchHeader, check_crc
from kstream.records.filtering import Span, iter_spans, with_records, without_records
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
_SLICE_RECORDS = 64


class CompactionAborted(LogStorageError):
    """The log changed beneath the round, or was closed: nothing is lost, a later round begins anew."""


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
        for segment in dirty:
            for header, buffer, position in iter_batches(segment, start, self._piece_bytes):
                pause(header.size_bytes)
                if header.is_control:
                    transactions.is_spent(header, buffer, position)
                elif not transactions.is_aborted(header) and not self._enter(header, buffer, position, pause):
                    self.end_offset = self._map.latest_offset + 1
                    return
                self._map.latest_offset = header.last_offset
        self._map.latest_offset = self._limit_offset - 1

    def _next_bases(self) -> list[int]:
        return [*(segment.base_offset for segment in self._segments), self._limit_offset][1:]

    def _enter(self, header: BatchHeader, buffer: bytes, position: int, pause: Pause) -> bool:
        """Enter a batch's keys; returns whether all of them found room."""
        offsets = self._map
        base_offset = header.base_offset
        start = self._first_dirty_offset
        put = offsets.put
        for spans in _sliced(self._spans(header, buffer, position)[1], pause):
            for span in spans:
                key = span[1]
                offset = base_offset + span[0]
                if key is not None and offset >= start:
                    if offsets.is_full:
                        return False
                    put(key, offset)
                    offsets.latest_offset = offset
        return True

    def _spans(self, header: BatchHeader, buffer: bytes, position: int) -> tuple[bytes, Iterator[Span]]:
        check_crc(buffer, position, header.size_bytes)
        if not header.record_count:
            return b"", iter(())
        payload = records_payload(buffer, header, position, self._config.max_decompressed_message_bytes)
        return payload, iter_spans(payload, header.record_count)

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
                for header, buffer, position in iter_batches(segment, segment.base_offset, self._piece_bytes):
                    size_bytes = header.size_bytes
                    kept = self._clean_batch(header, buffer, position, pause)
                    self.bytes_read += size_bytes
                    self.records_read += header.record_count
                    if kept is not None:
                        self.bytes_kept += len(kept)
                        size_bytes += len(kept)
                        writer.append(kept)
                    pause(size_bytes)
            file = group[-1].file
            times = os.stat(file.fd)
            writer.finish(self._transactions.kept, (times.st_atime_ns, times.st_mtime_ns))
        except BaseException:
            writer.segment.unlink()
            raise
        self._transactions.kept = []
        return writer.segment

    def _clean_batch(
        self, header: BatchHeader, buffer: bytes, position: int, pause: Pause
    ) -> bytes | memoryview | None:
        """What stays of a batch: all of it, a smaller one, its header, or nothing."""
        horizon_ms = header.delete_horizon_ms
        if header.is_control:
            is_spent = self._transactions.is_spent(header, buffer, position)
            is_dropped = is_spent and horizon_ms is not None and horizon_ms <= self._now_ms
        else:
            is_spent = False
            is_dropped = self._transactions.is_aborted(header)
        retained: list[Span] = []
        payload = b""
        needs_horizon = is_spent
        if not is_dropped:
            payload, spans = self._spans(header, buffer, position)
            if header.is_control:
                retained = list(spans)
            else:
                keeps_tombstones = horizon_ms is None or self._now_ms < horizon_ms
                needs_horizon = self._retain(header, spans, retained, keeps_tombstones, pause)
        if not retained:
            return without_records(header) if self._must_stay(header) else None
        self.records_kept += len(retained)
        if horizon_ms is None and needs_horizon:
            horizon_ms = self._now_ms + self._config.delete_retention_ms
        elif len(retained) == header.record_count:
            return memoryview(buffer)[position : position + header.size_bytes]
        return with_records(header, payload, retained, horizon_ms)

    def _retain(
        self,
        header: BatchHeader,
        spans: Iterator[Span],
        retained: list[Span],
        keeps_tombstones: bool,
        pause: Pause,
    ) -> bool:
        """Collect the records of a data batch that stay; returns whether a tombstone is among them. HOT."""
        get = self._map.get
        base_offset = header.base_offset
        latest_delta = self._map.latest_offset - base_offset
        has_tombstone = False
        for run in _sliced(spans, pause):
            for span in run:
                delta, key, has_value = span[:3]
                if delta <= latest_delta and (
                    key is None or base_offset + delta < get(key) or not (has_value or keeps_tombstones)
                ):
                    continue
                retained.append(span)
                if not has_value:
                    has_tombstone = True
        return has_tombstone

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


def _sliced(spans: Iterator[Span], pause: Pause) -> Iterator[list[Span]]:
    """Runs of records that are handled between two pauses."""
    while run := list(islice(spans, _SLICE_RECORDS)):
        yield run
        pause(0)
