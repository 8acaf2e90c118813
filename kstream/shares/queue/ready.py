"""Records that may be delivered now, by priority and then in the order of the log."""

from __future__ import annotations

from bisect import bisect_right
from heapq import heappop, heappush

from kstream.shares.queue.entries import PRIORITY_MAX


class Ready:
    """A heap of offsets for each priority.

    A record that waits is taken for one of a higher priority with every `aging_ms`, so that none waits for
    ever. How old one is, is told by the batch of the log that it came with.
    """

    def __init__(self, aging_ms: int) -> None:
        self._aging_ms = aging_ms
        self._heaps: list[list[int]] = [[] for _ in range(PRIORITY_MAX + 1)]
        self._used: list[int] = []
        """Priorities that anything ever had, the highest first; mostly one."""
        self._bases: list[int] = []
        self._times_ms: list[int] = []

    def __len__(self) -> int:
        return sum(len(self._heaps[priority]) for priority in self._used)

    def note_batch(self, base_offset: int, time_ms: int) -> None:
        """Records from an offset on are as old as this."""
        self._bases.append(base_offset)
        self._times_ms.append(time_ms)

    def forget_below(self, start_offset: int) -> None:
        """Nothing below an offset comes any more."""
        gone = bisect_right(self._bases, start_offset) - 1
        if gone > 256:  # not at each step of the window
            del self._bases[:gone], self._times_ms[:gone]

    def add(self, offset: int, priority: int) -> None:
        """A record may be delivered."""
        if priority not in self._used:
            self._used = sorted((*self._used, priority), reverse=True)
        heappush(self._heaps[priority], offset)

    def best(self, now_ms: int) -> list[int] | None:
        """The heap from which the next record is to come; None if there is none. Whoever takes from it asks
        the window first: what is in a heap may be gone.
        """
        best: list[int] | None = None
        rank = (-1, 0)
        for priority in self._used:
            heap = self._heaps[priority]
            if not heap:
                continue
            if len(self._used) == 1:
                return heap
            found = (self._aged(priority, heap[0], now_ms), -heap[0])
            if found > rank:
                best, rank = heap, found
        return best

    def _aged(self, priority: int, offset: int, now_ms: int) -> int:
        if not self._aging_ms or not self._bases:
            return priority
        index = max(0, bisect_right(self._bases, offset) - 1)
        return min(PRIORITY_MAX, priority + max(0, now_ms - self._times_ms[index]) // self._aging_ms)


def pop(heap: list[int]) -> int:
    """Take the first offset of what `Ready.best` gave."""
    return heappop(heap)
