"""Offsets by the time at which something is to be done about them."""

from __future__ import annotations

from heapq import heappop, heappush

_OFFSET_BITS = 63
_OFFSET_MASK = (1 << _OFFSET_BITS) - 1


class Schedule:
    """A heap with one integer for each offset, so that a million of them are some 50 MB.

    Nothing is taken out but by its time: whoever pops an offset asks the window whether it still matters.
    """

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        self._heap: list[int] = []

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, time_ms: int, offset: int) -> None:
        """An offset is due at a time."""
        heappush(self._heap, time_ms << _OFFSET_BITS | offset)

    @property
    def next_ms(self) -> int | None:
        """When the earliest is due."""
        return self._heap[0] >> _OFFSET_BITS if self._heap else None

    def pop_due(self, now_ms: int) -> list[int]:
        """Take out what is due."""
        due: list[int] = []
        heap, end = self._heap, (now_ms + 1) << _OFFSET_BITS
        while heap and heap[0] < end:
            due.append(heappop(heap) & _OFFSET_MASK)
        return due
