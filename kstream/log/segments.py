"""The segments of one log, and where in them an offset is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from typing import overload

from kstream.log.segment import Segment
from kstream.log.slices import LogSlice
from kstream.log.txn_index import AbortedTransaction

_HINTS_MAX = 64


class SegmentList:
    """Ascending segments, never none; the last one is active.

    Where somebody will soon read is remembered by offset, since those who follow a log's end, and those who
    ask twice, should not search.
    """

    __slots__ = ("_bases", "_hints", "active", "current")

    def __init__(self, segments: list[Segment]) -> None:
        self._hints: dict[int, tuple[Segment, int]] = {}
        self.replace(segments)

    def replace(self, segments: list[Segment]) -> None:
        """Go on with other segments."""
        for segment in segments[:-1]:
            segment.is_sealed = True
        segments[-1].is_sealed = False
        self.current = segments
        """The segments themselves. What is rolled comes behind; for what else changes there is a new list."""
        self._bases = [segment.base_offset for segment in segments]
        self.active = segments[-1]
        self._hints.clear()

    def __len__(self) -> int:
        return len(self.current)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.current)

    @overload
    def __getitem__(self, number: int) -> Segment: ...

    @overload
    def __getitem__(self, number: slice) -> list[Segment]: ...

    def __getitem__(self, number: int | slice) -> Segment | list[Segment]:
        return self.current[number]

    def append(self, segment: Segment) -> None:
        """The next segment, from now on the active one."""
        self.active.is_sealed = True
        self.current.append(segment)
        self._bases.append(segment.base_offset)
        self.active = segment

    def pop(self) -> None:
        """Take the last segment out; another must follow at once."""
        self.current.pop()
        self._bases.pop()

    def has_base(self, offset: int) -> bool:
        """Whether a segment begins at this offset."""
        return offset in self._bases

    def number_of(self, offset: int) -> int:
        """Number of the segment in whose range an offset is."""
        return max(bisect_right(self._bases, offset) - 1, 0)

    def hint(self, offset: int, segment: Segment, position: int) -> None:
        """Remember the position of the first batch that ends at or after `offset`."""
        hints = self._hints
        if len(hints) >= _HINTS_MAX:
            hints.clear()
        hints[offset] = (segment, position)

    def hinted(self, offset: int) -> tuple[Segment, int] | None:
        """Segment and position of the batch for `offset`, if they are remembered."""
        hint = self._hints.get(offset)
        return hint if hint is not None and hint[1] < hint[0].size_bytes else None

    def forget_hints(self) -> None:
        """Positions changed."""
        self._hints.clear()

    def locate(self, offset: int) -> tuple[Segment, int]:
        """Segment and position of the first batch that ends at or after `offset`; the log's end if there is
        none. HOT.

        Raises LogStorageError where the bytes on the way are no batches.
        """
        hint = self._hints.get(offset)
        if hint is not None and hint[1] < hint[0].size_bytes:
            return hint
        number = self.number_of(offset)
        segment = self.current[number]
        position = segment.locate(offset)
        while position >= segment.size_bytes and segment is not self.active:
            # The offsets up to the next segment were compacted away.
            number += 1
            segment = self.current[number]
            position = segment.locate(offset)
        self.hint(offset, segment, position)
        return segment, position

    def locate_in(self, segment: Segment, offset: int) -> int:
        """Where in a segment the batches that end before `offset` end: its own end if all of them do."""
        hint = self._hints.get(offset)
        if hint is not None and hint[0] is segment:
            return hint[1]
        position = segment.locate(offset)
        if position < segment.size_bytes:
            self.hint(offset, segment, position)
        return position

    def aborted_transactions(
        self, offset: int, found: LogSlice, log_end_offset: int
    ) -> list[AbortedTransaction]:
        """Aborted transactions that overlap a slice which was read from `offset`. HOT."""
        aborted: list[AbortedTransaction] = []
        active = self.active
        if not found.size_bytes or (
            found.segment_base_offset == active.base_offset and active.txn_index.ends_before(offset)
        ):
            return aborted
        bound: int | None = None
        for segment in self._from(found):
            index = segment.txn_index
            if index.ends_before(offset):
                continue
            if bound is None:
                bound = self._bound_behind(found, log_end_offset)
            some, complete = index.collect(offset, bound)
            aborted += some
            if complete:
                break
        return aborted

    def cold_transactions(self, offset: int, found: LogSlice) -> Callable[[], None] | None:
        """What a thread is to do before `aborted_transactions(offset, found)`, so that it reads no file; None
        where it would read none. HOT.
        """
        if not found.size_bytes or found.segment_base_offset == self.active.base_offset:
            return None  # the active segment's are loaded always
        behind = list(self._from(found))
        bound = behind[1].base_offset
        for segment in behind:
            index = segment.txn_index
            if not index.is_loaded:
                return partial(_load_transactions, behind, offset, bound)
            if index.completes(offset, bound):
                break
        return None

    def _from(self, found: LogSlice) -> Iterator[Segment]:
        """The slice's segment as it was when it was read, and those behind."""
        segments = found.segments
        if segments is self.current:
            return islice(segments, self.number_of(found.segment_base_offset), None)
        number = bisect_right(segments, found.segment_base_offset, key=_base_offset) - 1
        since = bisect_right(self._bases, segments[-1].base_offset)
        return chain(islice(segments, number, None), islice(self.current, since, None))

    def _bound_behind(self, found: LogSlice, log_end_offset: int) -> int:
        """An offset at or behind the end of a slice."""
        if found.segments is not self.current:
            return log_end_offset  # its index may be gone
        number = self.number_of(found.segment_base_offset)
        bound = self.current[number].offset_bound_behind(found.position + found.size_bytes)
        if bound is not None:
            return bound
        return log_end_offset if number + 1 == len(self.current) else self._bases[number + 1]


def _base_offset(segment: Segment) -> int:
    return segment.base_offset


def _load_transactions(segments: Sequence[Segment], offset: int, bound: int) -> None:
    """Load the transaction indexes that say which transactions overlap `offset` to `bound`. For a thread.

    Raises OSError, CorruptTransactionIndex.
    """
    for segment in segments:
        segment.txn_index.load()
        if segment.txn_index.completes(offset, bound):
            return
