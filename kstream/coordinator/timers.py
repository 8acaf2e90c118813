"""Deadlines by key, in one heap.

A heartbeat moves a member's deadline a few seconds on, thousands of times a second, and nearly no deadline
is ever reached. So moving a deadline to later touches only a dictionary: its entry in the heap stays where it
is, and is put back at the right place when it comes up too early.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from heapq import heappop, heappush


class TimerHeap:
    """Deadlines in milliseconds on whatever clock the owner uses."""

    __slots__ = ("_deadlines", "_heap", "_queued", "_sequence")

    def __init__(self) -> None:
        self._deadlines: dict[Hashable, float] = {}
        self._queued: dict[Hashable, float] = {}
        self._heap: list[tuple[float, int, Hashable]] = []
        self._sequence = 0

    def __len__(self) -> int:
        return len(self._deadlines)

    def set(self, key: Hashable, deadline_ms: float) -> bool:
        """Set or move a deadline; whether the heap's earliest entry is now this one."""
        self._deadlines[key] = deadline_ms
        queued = self._queued.get(key)
        if queued is not None and queued <= deadline_ms:
            return False
        self._push(key, deadline_ms)
        return self._heap[0][2] == key

    def cancel(self, key: Hashable) -> None:
        """Forget a deadline, if there is one."""
        self._deadlines.pop(key, None)

    def cancel_all(self, owner: Hashable) -> None:
        """Forget every key that is a tuple beginning with `owner`."""
        gone = [key for key in self._deadlines if isinstance(key, tuple) and key[0] == owner]
        for key in gone:
            del self._deadlines[key]

    def wakes_at_ms(self) -> float | None:
        """When to look again: the earliest entry, which may turn out to have been moved; None if empty."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now_ms: float) -> Iterator[Hashable]:
        """Take out what is due, earliest first. What is set meanwhile, and is due too, comes as well."""
        heap, queued, deadlines = self._heap, self._queued, self._deadlines
        while heap and heap[0][0] <= now_ms:
            entry_ms, _, key = heappop(heap)
            if queued.get(key) != entry_ms:
                continue
            del queued[key]
            deadline_ms = deadlines.get(key)
            if deadline_ms is None:
                continue
            if deadline_ms > now_ms:
                self._push(key, deadline_ms)
                continue
            del deadlines[key]
            yield key

    def _push(self, key: Hashable, deadline_ms: float) -> None:
        self._queued[key] = deadline_ms
        self._sequence += 1
        heappush(self._heap, (deadline_ms, self._sequence, key))
