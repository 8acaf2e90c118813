"""Acquisition locks: who acquires records has them for so long, and then everybody may.

What is acquired at once is under one lock. A lock is gone once its last record has been let go, so there
are never more than records acquired.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush

_SPARE = 64


class Lock:
    """A claim until `deadline_ms` on some ranges of offsets, as far as their runs still name it."""

    __slots__ = ("deadline_ms", "locks", "ranges", "records")

    def __init__(self, deadline_ms: float) -> None:
        self.deadline_ms = deadline_ms
        self.ranges: list[tuple[int, int]] = []
        self.records = 0
        """How many it still holds."""
        self.locks: Locks | None = None
        """Those that count it."""

    def hold(self, first: int, last: int) -> None:
        """Take a range under this lock."""
        self.ranges.append((first, last))
        self.records += last - first + 1

    def let_go(self, records: int) -> None:
        """So many of its records are no longer acquired."""
        self.records -= records
        if self.locks is not None:
            self.locks.records -= records


class Locks:
    """The locks of one share partition by deadline."""

    __slots__ = ("_heap", "_sequence", "records")

    def __init__(self) -> None:
        self.records = 0
        """How many records are acquired."""
        self._heap: list[tuple[float, int, Lock]] = []
        self._sequence = 0

    def add(self, lock: Lock) -> None:
        """A lock that holds something, and will take no more."""
        lock.locks = self
        self.records += lock.records
        self._sequence += 1
        heappush(self._heap, (lock.deadline_ms, self._sequence, lock))
        if self._sequence % _SPARE == 0:
            held = [entry for entry in self._heap if entry[2].records]
            if 2 * len(held) < len(self._heap):
                heapify(held)
                self._heap = held

    @property
    def wakes_at_ms(self) -> float | None:
        """When the earliest lock expires."""
        heap = self._heap
        while heap and not heap[0][2].records:
            heappop(heap)
        return heap[0][0] if heap else None

    def pop_due(self, now_ms: float) -> Iterator[Lock]:
        """Take out the locks that have expired."""
        while (wakes_at_ms := self.wakes_at_ms) is not None and wakes_at_ms <= now_ms:
            lock = heappop(self._heap)[2]
            self.records -= lock.records
            lock.locks = None
            yield lock
