"""Time for tests: it stands still while anybody works, and leaps to the next deadline once everybody waits.

trio's own autojump takes a task that waits for a thread for one that waits for time, and on a busy machine
leaps over a minute while a file is written. Here threads count as work.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf

import trio
from trio.testing import MockClock

from kstream.testing.settling import wait_all_idle


def run_in_virtual_time(test: Callable[[], Awaitable[None]], *, leap_s: float = 0.01) -> None:
    """Run a test's coroutine function.

    Bytes on their way through a socket look like waiting: `leap_s` is how long everybody must, in real time.
    """
    clock = MockClock()

    async def with_leaps() -> None:
        trio.lowlevel.spawn_system_task(_leap, clock, leap_s)
        await test()

    trio.run(with_leaps, clock=clock)


async def _leap(clock: MockClock, leap_s: float) -> None:
    while True:
        await wait_all_idle(leap_s)
        left_s = trio.lowlevel.current_statistics().seconds_to_next_deadline
        if 0 < left_s < inf:
            clock.jump(left_s)
