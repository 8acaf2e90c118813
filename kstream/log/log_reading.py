"""Where in a log an offset or a time is: what fetches and ListOffsets ask."""

from __future__ import annotations

from collections.abc import Callable

from kstream.log import timestamps
from kstream.log.errors import LogStorageError, OffsetOutOfRange
from kstream.log.log_state import LogState
from kstream.log.scanning import FRESH_BYTES
from kstream.log.slices import EMPTY_SLICE, LogSlice
from kstream.log.txn_index import AbortedTransaction


class LogReader(LogState):
    """The reading half of a log."""

    __slots__ = ()

    def read(
        self,
        offset: int,
        size_bytes_max: int,
        *,
        end_offset: int | None = None,
        min_one_batch: bool = True,
    ) -> LogSlice:
        """The bytes from the batch that contains `offset`, of one segment, below `end_offset`. HOT.

        Whole batches only up to `end_offset`; cut at `size_bytes_max`, maybe inside a batch, but never inside
        the first one: that one comes whole with `min_one_batch`, and else nothing comes.

        Raises:
            OffsetOutOfRange: before the log's start or behind its end.
            LogStorageError: the file cannot be opened, or the bytes on the way are no batches.
        """
        end = self.end_offset
        if offset > end or offset < self.log_start_offset:
            raise OffsetOutOfRange(offset, self.log_start_offset, end)
        limit = end if end_offset is None or end_offset > end else end_offset
        if offset >= limit:
            if offset == end:
                # Whoever reads at the end comes back when there is more: it will begin here.
                active = self.segments.active
                self.segments.hint(offset, active, active.size_bytes)
            return EMPTY_SLICE
        segments = self.segments
        try:
            segment, position = segments.locate(offset)
            stop = segment.size_bytes if limit == end else segments.locate_in(segment, limit)
            file = segment.file
        except OSError as error:
            raise LogStorageError(f"{self.directory}: {error}") from error
        available = stop - position
        if available > size_bytes_max:
            first = int.from_bytes(file.piece(position, 12)[8:12], "big") + 12
            if first <= size_bytes_max:
                available = size_bytes_max
            elif min_one_batch:
                available = min(first, available)
            else:
                return EMPTY_SLICE
        elif available <= 0:
            return EMPTY_SLICE
        is_fresh = False
        if segment is segments.active:
            size_bytes = segment.size_bytes
            if position + available == size_bytes:
                segments.hint(end, segment, size_bytes)
            is_fresh = position >= self.fresh_from and size_bytes - position <= FRESH_BYTES
        return LogSlice(file, position, available, segment.base_offset, is_fresh, segments.current)

    def aborted_transactions(self, offset: int, found: LogSlice) -> list[AbortedTransaction]:
        """Aborted transactions that a read_committed reader of `found`, read from `offset`, must know."""
        return self.segments.aborted_transactions(offset, found, self.end_offset)

    def cold_transactions(self, offset: int, found: LogSlice) -> Callable[[], None] | None:
        """What a thread is to do first, so that `aborted_transactions` reads no file; None for nothing."""
        return self.segments.cold_transactions(offset, found)

    def offset_for_timestamp(self, timestamp_ms: int) -> timestamps.OffsetAndTimestamp | None:
        """The first record at or after a time: (offset, timestamp); None if there is none."""
        return timestamps.offset_for_timestamp(self, timestamp_ms)

    def max_timestamp(self) -> timestamps.OffsetAndTimestamp | None:
        """The record with the largest timestamp, the first of them (KIP-734); None for a log without any."""
        return timestamps.max_timestamp(self)
