"""How long the event loop keeps those waiting whose turn it is."""

from __future__ import annotations

import trio

from kstream.broker.stats import Timings

_INTERVAL_S = 0.1


class LoopDelay:
    """A task that wants to wake ten times a second, and notes how late it does."""

    def __init__(self) -> None:
        self.timings = Timings()

    async def run(self) -> None:
        """Measure until cancelled. A test's clock that leaps ahead is no delay."""
        while True:
            due_s = trio.current_time() + _INTERVAL_S
            await trio.sleep_until(due_s)
            late_s = trio.current_time() - due_s
            if late_s < _LEAP_S:
                self.timings.record(max(late_s, 0.0))


_LEAP_S = 60.0
