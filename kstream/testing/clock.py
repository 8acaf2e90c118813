"""A clock that runs as the machine's does, and that tests move ahead."""

from __future__ import annotations

import time
from collections.abc import Callable

import trio

from kstream.broker.broker import Broker
from kstream.broker.housekeeping import Housekeeping
from kstream.testing.settling import settle


class TestingClock(trio.abc.Clock):
    """Both clocks of a broker: the wall clock (`kstream.clock.Clock`) and that of its timers (trio's).

    They move together, so whatever sleeps in the broker wakes when its time has been leapt over.
    """

    __test__ = False  # pytest need not collect it

    def __init__(self, leap: Callable[[int], None] | None = None) -> None:
        """`leap` is what `advance` has done; by default the clock is only moved."""
        self._leap = leap or self.move
        self._ahead_ms = 0

    def advance(
        self, *, hours: float = 0, minutes: float = 0, seconds: float = 0, milliseconds: float = 0
    ) -> None:
        """Move ahead of the machine's clock, and return when retention and due timers have been seen to.

        Raises ValueError for a time that is not ahead.
        """
        by_ms = round(hours * 3_600_000 + minutes * 60_000 + seconds * 1000 + milliseconds)
        if by_ms <= 0:
            raise ValueError(f"a clock moves ahead only, not by {by_ms} ms")
        self._leap(by_ms)

    @property
    def ahead_ms(self) -> int:
        """How far ahead of the machine's clock it is."""
        return self._ahead_ms

    def move(self, by_ms: int) -> None:
        """Be that much further ahead; to be called in the broker's own thread, whose loop then looks anew."""
        self._ahead_ms += by_ms

    def now_ms(self) -> int:
        """Wall-clock time: milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000 + self._ahead_ms

    # What trio asks of a clock

    def start_clock(self) -> None:
        """It runs already."""

    def current_time(self) -> float:
        return time.perf_counter() + self._ahead_ms / 1000

    def deadline_to_sleep_time(self, deadline: float) -> float:
        return deadline - self.current_time()


async def leap(broker: Broker, clock: TestingClock, by_ms: int) -> None:
    """Move the clock of a broker ahead, and see to what is due; in the broker's own loop."""
    clock.move(by_ms)
    await settle()
    await Housekeeping(broker).retain()
