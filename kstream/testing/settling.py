"""Waiting until a broker has done what it has to do."""

from __future__ import annotations

import trio
from trio.testing import active_thread_count, wait_all_tasks_blocked, wait_all_threads_completed

_SETTLE_S = 5.0


async def settle() -> None:
    """Return when nothing in the broker has anything to do, or after a while if clients keep it busy."""
    with trio.move_on_after(_SETTLE_S):
        await wait_all_idle()


async def wait_all_idle(quiet_s: float = 0.0) -> None:
    """Return once no task has had anything to do for `quiet_s`, in real time, and no thread works for one.

    trio's `wait_all_tasks_blocked` takes a task that waits for a thread for one that waits for the world.
    """
    while True:
        await wait_all_tasks_blocked(quiet_s)
        if not active_thread_count():
            return
        await wait_all_threads_completed()
