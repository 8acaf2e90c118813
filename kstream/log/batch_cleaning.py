"""What stays of batches, once the map of a round of compaction is made.

How many records stay of a batch in the dirty part is told by its offsets alone: unless only some of them go,
it is kept or dropped without being opened. Batches from before the dirty part are opened, and their keys
looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from kstream.log.chunks import Chunk, ChunkBatch
from kstream.log.cleaned_transactions import CleanedTransactions
from kstream.log.compaction_job import KnownProducers
from kstream.log.offset_map import NewestOffsets, OffsetMap
from kstream.records.batch import BatchHeader, check_crc
from kstream.records.columns import SLICE_RECORDS, Flags, Integers, RecordColumns
from kstream.records.filtering import with_records, without_records

Pause = Callable[[int], None]
Kept = bytes | memoryview | None


class BatchCleaner:
    """Decides over a log's batches, from the oldest on. For a thread."""

    __slots__ = (
        "_delete_retention_ms",
        "_dirty_from",
        "_high_watermark",
        "_map",
        "_newest",
        "_now_ms",
        "_producers",
        "_transactions",
        "records_kept",
    )

    def __init__(
        self,
        offset_map: OffsetMap,
        newest: NewestOffsets,
        transactions: CleanedTransactions,
        producers: KnownProducers,
        *,
        dirty_from: int,
        high_watermark: int,
        now_ms: int,
        delete_retention_ms: int,
    ) -> None:
        self._map = offset_map
        self._newest = newest
        self._transactions = transactions
        self._producers = producers
        self._dirty_from = dirty_from
        self._high_watermark = high_watermark
        self._now_ms = now_ms
        self._delete_retention_ms = delete_retention_ms
        self.records_kept = 0

    def take_in(self, header: BatchHeader, buffer: bytes, position: int) -> ChunkBatch:
        """The next batch, with what its transaction says of it. Raises CorruptBatch."""
        if header.is_control or not header.record_count:
            # Nobody else looks at its bytes, and what is written anew gets another CRC.
            check_crc(buffer, position, header.size_bytes)
        if not header.is_control:
            is_gone = self._transactions.is_aborted(header)
            return ChunkBatch(header, buffer, position, is_gone=is_gone)
        is_spent = self._transactions.is_spent(header, buffer, position)
        is_gone = is_spent and self._is_past_horizon(header)
        return ChunkBatch(header, buffer, position, is_gone=is_gone, is_spent=is_spent)

    def kept(self, batches: Sequence[ChunkBatch], pause: Pause, payload_bytes_max: int) -> list[Kept]:
        """What stays of each: all of it, a smaller batch, its header, or nothing. Raises CorruptBatch."""
        found: list[Kept] = [None] * len(batches)
        chunk = Chunk(payload_bytes_max)
        numbers: list[int] = []
        for number, (batch, counts) in enumerate(zip(batches, self._counts(batches), strict=True)):
            if counts is not None and not self._must_open(batch, *counts):
                found[number] = self._unopened(batch, counts[0])
                continue
            chunk.add(batch)
            numbers.append(number)
            if chunk.is_full:
                for at, kept in zip(numbers, self._opened(chunk, pause), strict=True):
                    found[at] = kept
                chunk = Chunk(payload_bytes_max)
                numbers = []
        for at, kept in zip(numbers, self._opened(chunk, pause), strict=True):
            found[at] = kept
        return found

    # Batches that are not opened

    def _counts(self, batches: Sequence[ChunkBatch]) -> Iterator[tuple[int, int] | None]:
        """How many records, and tombstones, stay of each batch; None where its keys must be looked up."""
        firsts = np.array([batch.header.base_offset for batch in batches], np.int64)
        nexts = np.array([batch.header.next_offset for batch in batches], np.int64)
        counts = self._newest.count_between(firsts, nexts)
        tombstones = self._newest.count_tombstones(firsts, nexts)
        for batch, count, tombstone_count in zip(batches, counts, tombstones, strict=True):
            header = batch.header
            if batch.is_gone or not header.record_count:
                yield 0, 0
            elif header.is_control:
                yield header.record_count, 0
            elif not self._is_known(header):
                yield None
            elif self._is_past_horizon(header):
                yield count - tombstone_count, 0
            else:
                yield count, tombstone_count

    def _is_known(self, header: BatchHeader) -> bool:
        """Whether the map has been told of all records of a data batch."""
        return self._dirty_from <= header.base_offset and header.last_offset <= self._map.latest_offset

    def _must_open(self, batch: ChunkBatch, count: int, tombstones: int) -> bool:
        header = batch.header
        is_whole = count == header.record_count
        return count > 0 and not (is_whole and self._new_horizon_ms(batch, tombstones) is None)

    def _unopened(self, batch: ChunkBatch, count: int) -> Kept:
        header = batch.header
        if not count:
            return without_records(header) if self._must_stay(header) else None
        self.records_kept += count
        return memoryview(batch.buffer)[batch.position : batch.position + header.size_bytes]

    # Those that are

    def _opened(self, chunk: Chunk, pause: Pause) -> list[Kept]:
        if not chunk.batches:
            return []
        records = chunk.read(pause)
        stays = self._stays(chunk, records, pause)
        bounds = chunk.bounds
        counts = _count_between(stays, bounds)
        tombstones = _count_between(stays & ~records.has_value, bounds)
        found: list[Kept] = []
        for number, (batch, count) in enumerate(zip(chunk.batches, counts, strict=True)):
            if not self._must_open(batch, count, tombstones[number]):
                found.append(self._unopened(batch, count))
                continue
            self.records_kept += count
            rows = slice(bounds[number], bounds[number + 1])
            horizon_ms = self._new_horizon_ms(batch, tombstones[number])
            if horizon_ms is None:
                horizon_ms = batch.header.delete_horizon_ms
            found.append(with_records(batch.header, records.take(rows).take(stays[rows]), horizon_ms))
            pause(0)
        return found

    def _stays(self, chunk: Chunk, records: RecordColumns, pause: Pause) -> Flags:
        """Which records stay."""
        headers = [batch.header for batch in chunk.batches]
        offsets = chunk.offsets(records)
        stays = chunk.each_row([header.is_control for header in headers])
        stays |= offsets > self._map.latest_offset
        keeps_tombstones = chunk.each_row([not self._is_past_horizon(header) for header in headers])
        may_stay = ~stays & (records.key_sizes >= 0) & (records.has_value | keeps_tombstones)
        is_known = chunk.each_row([self._is_known(header) for header in headers])
        stays |= may_stay & is_known & self._newest.has(offsets)
        rows = np.flatnonzero(may_stay & ~is_known)
        for begin in range(0, len(rows), SLICE_RECORDS):
            some = rows[begin : begin + SLICE_RECORDS]
            stays[some] = offsets[some] >= self._map.get(records.keys(some))
            pause(0)
        return stays

    def _is_past_horizon(self, header: BatchHeader) -> bool:
        horizon_ms = header.delete_horizon_ms
        return horizon_ms is not None and horizon_ms <= self._now_ms

    def _new_horizon_ms(self, batch: ChunkBatch, tombstones: int) -> int | None:
        """The delete horizon that a batch is to get now, None if it has one, or needs none."""
        if batch.header.delete_horizon_ms is None and (batch.is_spent or tombstones):
            return self._now_ms + self._delete_retention_ms
        return None

    def _must_stay(self, header: BatchHeader) -> bool:
        """Whether a batch stays though it has no records any more."""
        if header.next_offset == self._high_watermark:
            return True
        last_offset = self._producers.last_offsets.get(header.producer_id)
        if last_offset is None or header.producer_id < 0:
            return False
        if last_offset >= 0:
            return header.last_offset == last_offset
        # Of this epoch there is only a marker: it has what fences the producer's earlier self.
        return header.is_control and header.producer_epoch == self._producers.epochs[header.producer_id]


def _count_between(flags: Flags, bounds: Integers) -> list[int]:
    """How many are set from each bound to the next."""
    counts: list[int] = np.diff(np.append(0, np.cumsum(flags))[bounds]).tolist()
    return counts
