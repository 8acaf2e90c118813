"""How fast records are handed on: at once, as they once came, so many times faster, or at a fixed rate."""

from __future__ import annotations

from collections.abc import Callable

from kstream.replay.errors import ReplayError
from kstream.replay.event import NO_TIMESTAMP, Event

Clock = Callable[[], float]
"""Seconds, on a clock that never goes back."""
Sleep = Callable[[float], None]


class Pace:
    """Waits before each record until it is due.

    `speed` scales the time between records' own timestamps (1.0 is the original), `rate` is records a second;
    without either nothing waits. A record older than the one before it is due at once.
    """

    def __init__(
        self, *, speed: float | None = None, rate: float | None = None, clock: Clock, sleep: Sleep
    ) -> None:
        if speed is not None and rate is not None:
            raise ReplayError(
                "--speed follows the records' own time and --rate a fixed one: give one of them"
            )
        if (speed is not None and not speed > 0) or (rate is not None and not rate > 0):
            raise ReplayError("a speed and a rate are more than 0")
        self._speed = speed
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._started_s: float | None = None
        self._first_ms = NO_TIMESTAMP
        self._count = 0

    @property
    def waits(self) -> bool:
        return self._speed is not None or self._rate is not None

    def now_s(self) -> float:
        return self._clock()

    def shift(self, seconds: float) -> None:
        """Take a pause of so many seconds out of the account."""
        if self._started_s is not None:
            self._started_s += seconds

    def wait_for(self, event: Event) -> None:
        """Return when the record is due."""
        due_s = self._due_s(event)
        if due_s is not None and (remaining_s := due_s - self._clock()) > 0:
            self._sleep(remaining_s)

    def _due_s(self, event: Event) -> float | None:
        if not self.waits:
            return None
        if self._started_s is None:
            self._started_s = self._clock()
        if self._rate is not None:
            self._count += 1
            return self._started_s + (self._count - 1) / self._rate
        if event.timestamp_ms == NO_TIMESTAMP:
            return None
        if self._first_ms == NO_TIMESTAMP:
            self._first_ms = event.timestamp_ms
        assert self._speed is not None
        return self._started_s + (event.timestamp_ms - self._first_ms) / 1000 / self._speed
