"""Waiting until a broker has done what it has to do."""

from __future__ import annotations

import trio
import trio.testing

_SETTLE_S = 1.0


async def settle() -> None:
    """Return when nothing in the broker has anything to do, or after a while if clients keep it busy."""
    with trio.move_on_after(_SETTLE_S):
        await trio.testing.wait_all_tasks_blocked()
