"""SIGINT and SIGTERM: the first stops cleanly, within a few seconds, the second at once."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Turns signals into one call of a function.

    The handlers are Python's own and not trio's, because the second signal has to work even when the event
    loop is stuck, and because trio's would be taken down together with the loop.
    """

    def __init__(
        self, *, exit_now: Callable[[int], object] = os._exit, stop_s_max: float | None = None
    ) -> None:
        """After `stop_s_max` from the first signal the process ends, unless it `has_stopped`."""
        self.is_asked = False
        self._exit_now = exit_now
        self._stop_s_max = stop_s_max
        self._deadline: threading.Timer | None = None
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

    def has_stopped(self) -> None:
        """The stop came to its end: nothing is to be cut short any more."""
        if self._deadline is not None:
            self._deadline.cancel()

    def _give_up(self) -> None:
        log.warning("not everything could be closed in time; the next start checks the rest")
        if self._clean_up is not None:
            self._clean_up()
        self._exit_now(0)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.is_asked:
            self.is_asked = True
            if self._stop_s_max is not None:
                # A thread, since the event loop may be what does not come to its end.
                self._deadline = threading.Timer(self._stop_s_max, self._give_up)
                self._deadline.daemon = True
                self._deadline.start()
            if self._stop is not None:
                self._stop()
            return
        if self._clean_up is not None:
            self._clean_up()
        self._exit_now(128 + number)
