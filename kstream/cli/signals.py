"""SIGINT and SIGTERM: the first stops cleanly, the second at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Turns signals into one call of a function.

    The handlers are Python's own and not trio's, because the second signal has to work even when the event
    loop is stuck, and because trio's would be taken down together with the loop.
    """

    def __init__(self, *, exit_now: Callable[[int], object] = os._exit) -> None:
        self.is_asked = False
        self._exit_now = exit_now
        self._stop: Callable[[], object] | None = None
        self._clean_up: Callable[[], object] | None = None

    def install(self) -> None:
        """Handle the signals from here on. To be called in the main thread."""
        for number in _SIGNALS:
            signal.signal(number, self._handle)

    def on_stop(self, stop: Callable[[], object]) -> None:
        """What the first signal calls, from within the signal handler; called at once if one came before."""
        self._stop = stop
        if self.is_asked:
            stop()

    def on_exit_now(self, clean_up: Callable[[], object]) -> None:
        """What is done before the process ends at once."""
        self._clean_up = clean_up

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.is_asked:
            self.is_asked = True
            if self._stop is not None:
                self._stop()
            return
        if self._clean_up is not None:
            self._clean_up()
        self._exit_now(128 + number)
