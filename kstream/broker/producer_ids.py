"""Producer ids, handed out from blocks that the metadata log remembers before the first of them is used."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

BLOCK_SIZE = 1000
"""Ids in a block, as many as Kafka's controller gives."""


class ProducerIds:
    """The next id is one more than the last; ids of a block that a crash cut short are never used."""

    def __init__(self, allocate_block: Callable[[int], Awaitable[int]]) -> None:
        self._allocate_block = allocate_block
        self._lock = trio.Lock()
        self._next = 0
        self._block_end = 0

    async def next_id(self) -> int:
        """A producer id that nobody had before."""
        async with self._lock:
            if self._next == self._block_end:
                self._next = await self._allocate_block(BLOCK_SIZE)
                self._block_end = self._next + BLOCK_SIZE
            self._next += 1
            return self._next - 1
