"""Where in a segment an offset or a time is: by its indexes, then from batch to batch."""

from __future__ import annotations

import logging
import struct

from kstream.log.errors import LogStorageError
from kstream.log.indexes import CorruptIndex
from kstream.log.segment_files import SegmentFiles
from kstream.records.batch import HEADER_SIZE

_log = logging.getLogger(__name__)

LENGTH_MIN = HEADER_SIZE - 12
_BOUNDS = struct.Struct(">qi11xi")  # base offset, length, last offset delta
_unpack_bounds = _BOUNDS.unpack_from


class SegmentSearch(SegmentFiles):
    """The searches. An index that contradicts the log is rebuilt, and the search begins anew."""

    __slots__ = ()

    def locate(self, offset: int) -> int:
        """Position of the first batch that ends at or after `offset`; the published end if there is none.
        HOT.

        Raises LogStorageError where the bytes on the way are no batches.
        """
        end = self.size_bytes
        if not end:
            return 0
        base = self.base_offset
        file = self.file
        piece, begin = b"", 0
        position = 0
        try:
            entry = self.index.floor(offset - base)
            if entry is not None:
                begin = position = entry[1]
                piece = self._check_entry(position, base + entry[0])
        except CorruptIndex as reason:
            self.rebuild_because(reason)
            return self.locate(offset)
        unpack = _unpack_bounds
        size_bytes = _BOUNDS.size
        while position < end:
            if position - begin > len(piece) - size_bytes:
                piece, begin = file.piece(position, size_bytes), position
                if len(piece) < size_bytes:
                    raise self.corrupt_at(position)
            base_offset, length, delta = unpack(piece, position - begin)
            if base_offset + delta >= offset:
                return position
            if length < LENGTH_MIN:
                raise self.corrupt_at(position)
            position += length + 12
        return end

    def scan_bounds(self, offset: int) -> tuple[int, int]:
        """The bytes among which `locate` finds its batch. Raises CorruptIndex, OSError."""
        end = self.size_bytes
        if not end:
            return 0, 0
        index = self.index
        relative = offset - self.base_offset
        before = index.floor(relative)
        behind = index.above(relative)
        begin = 0 if before is None else min(before[1], end)
        return begin, end if behind is None else max(begin, min(behind[1] + HEADER_SIZE, end))

    def _check_entry(self, position: int, last_offset: int) -> bytes:
        """The log from `position` to the end of its page. Raises CorruptIndex unless a batch that ends with
        `last_offset` is there.
        """
        if position <= self.size_bytes - HEADER_SIZE:
            piece = self.file.piece(position, _BOUNDS.size)
            base_offset, _, delta = _unpack_bounds(piece)
            if base_offset + delta == last_offset:
                return piece
        raise CorruptIndex(f"an entry says that offset {last_offset} is at byte {position}, which is not so")

    def rebuild_because(self, reason: CorruptIndex) -> None:
        _log.warning("rebuilding the indexes of %s: %s", self.path, reason)
        self.rebuild_indexes()

    def corrupt_at(self, position: int) -> LogStorageError:
        return LogStorageError(f"{self.path} has no record batch at byte {position}")

    def next_offset(self) -> int:
        """The offset after the segment's last batch, found from the last index entry."""
        last = self.index.last()
        position = 0
        if last is not None:
            position = last[1]
            try:
                self._check_entry(position, self.base_offset + last[0])
            except CorruptIndex as reason:
                self.rebuild_because(reason)
                return self.next_offset()
        return self._next_offset_from(position)

    def next_offset_by_scan(self) -> int:
        """The offset after the segment's last batch, without its indexes."""
        return self._next_offset_from(0)

    def _next_offset_from(self, position: int) -> int:
        next_offset = self.base_offset
        end = self.size_bytes
        while position < end:
            if end - position < HEADER_SIZE:
                raise self.corrupt_at(position)
            base_offset, length, delta = _unpack_bounds(self.file.mapping(end), position)
            if length < LENGTH_MIN or position + length + 12 > end:
                raise self.corrupt_at(position)
            next_offset = base_offset + delta + 1
            position += length + 12
        return next_offset

    def offset_bound_behind(self, position: int) -> int | None:
        """An offset that no batch before `position` reaches, from the index; None if it ends before."""
        try:
            entry = self.index.first_with_value_from(position)
        except CorruptIndex as reason:
            self.rebuild_because(reason)
            return self.offset_bound_behind(position)
        return None if entry is None else self.base_offset + entry[0]

    def offset_before_time(self, timestamp_ms: int) -> int:
        """Where a search for the first record at or after a time may begin: everything before this offset's
        batch is older.
        """
        try:
            entry = self.time_index.floor(timestamp_ms)
        except CorruptIndex as reason:
            self.rebuild_because(reason)
            return self.offset_before_time(timestamp_ms)
        return self.base_offset if entry is None else self.base_offset + entry[1]
