"""Keys that a person presses while something runs: pause, step, quit."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

HELP = "space pauses, s steps, q ends"


class Keys:
    """Waits in `before_each` while paused. `press` is what a key does."""

    def __init__(self, *, is_paused: bool = False) -> None:
        self._changed = threading.Condition()
        self._is_paused = is_paused
        self._steps = 0
        self.is_ended = False

    @property
    def is_paused(self) -> bool:
        return self._is_paused

    def press(self, key: str) -> None:
        with self._changed:
            if key == " ":
                self._is_paused = not self._is_paused
            elif key in ("s", "\n", "\r"):
                self._is_paused = True
                self._steps += 1
            elif key == "q":
                self.is_ended = True
                self._steps = 0
            elif key in ("", "\x04"):  # what was asked for before the end is still done
                self.is_ended = True
            self._changed.notify_all()

    def wait(self) -> None:
        """Return when the next record may go. Raises KeyboardInterrupt once somebody wants to end."""
        with self._changed:
            while self._is_paused and not self._steps and not self.is_ended:
                self._changed.wait()
            if self._steps:
                self._steps -= 1
            elif self.is_ended:
                raise KeyboardInterrupt


@contextmanager
def listening(*, is_paused: bool) -> Iterator[Keys | None]:
    """Keys pressed on the terminal that standard input is; None where it is none and nobody wants to step.

    Where it is no terminal, each line of it is one step.
    """
    keys = Keys(is_paused=is_paused)
    if not sys.stdin.isatty():
        if not is_paused:
            yield None
            return
        threading.Thread(target=_read, args=(keys,), daemon=True).start()
        yield keys
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin.fileno())
    threading.Thread(target=_read, args=(keys,), daemon=True).start()
    try:
        yield keys
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _read(keys: Keys) -> None:
    while not keys.is_ended:
        keys.press(sys.stdin.read(1))
