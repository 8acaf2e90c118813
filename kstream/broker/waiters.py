"""Requests that wait for a partition to grow: long-polling fetches.

A waiter is told of every append to the partitions it watches, and wakes its task once, when its condition
holds. Nothing polls, and an append wakes nobody whose condition does not hold yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

import trio


class Watched(Protocol):
    """What can be waited for: a partition, or a share partition."""

    @property
    def waiters(self) -> set[AppendWaiter]: ...


class AppendWaiter:
    """Waits until `size_bytes` more can be read from some partitions, or one of them changes hands."""

    __slots__ = ("_missing_bytes", "_wakes")

    def __init__(self, size_bytes: int) -> None:
        self._missing_bytes = size_bytes
        self._wakes = trio.Event()

    def on_readable(self, size_bytes: int) -> None:
        """More bytes of a watched partition can be read."""
        self._missing_bytes -= size_bytes
        if self._missing_bytes <= 0:
            self._wakes.set()

    def on_changed(self) -> None:
        """A watched partition was deleted, or its epoch changed: the request must look again now."""
        self._wakes.set()

    async def wait_readable(self, partitions: Iterable[Watched], timeout_s: float) -> None:
        """Return when the condition holds or the time is up. Bytes that are there already do not count."""
        with self.watching(partitions):
            await self.wait(timeout_s)

    @contextmanager
    def watching(self, partitions: Iterable[Watched]) -> Iterator[None]:
        """Be told what happens to partitions."""
        watched = list(partitions)
        for partition in watched:
            partition.waiters.add(self)
        try:
            yield
        finally:
            for partition in watched:
                partition.waiters.discard(self)

    async def wait(self, timeout_s: float) -> None:
        """Return when the condition holds, from what was told until now, or the time is up."""
        with trio.move_on_after(timeout_s):
            await self._wakes.wait()
