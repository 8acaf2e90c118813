"""How long the event loop keeps those waiting whose turn it is."""

from __future__ import annotations

import time

import trio

from kstream.broker.stats import Timings

_INTERVAL_S = 0.1


class LoopDelay:
    """A task that wants to wake ten times a second, and notes how late it does."""

    def __init__(self) -> None:
        self.timings = Timings()

    async def run(self) -> None:
        """Measure until cancelled, by the machine's clock: the broker's may leap ahead."""
        while True:
            began_s = time.perf_counter()
            await trio.sleep(_INTERVAL_S)
            self.timings.record(max(time.perf_counter() - began_s - _INTERVAL_S, 0.0))
