"""How fast compaction goes: it keeps to a rate, and in a thread it rests for those who wait for the
interpreter.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import trio

_SLICE_S = 0.00025
_REST_S = 0.00035
"""With twice the slice and 0.3 ms of rest, the p99 of short work on another thread was half as long again."""
_REST_ALONE_S = 0.00002
"""While the event loop has nothing to do. What then comes waits for the switch interval at most."""
_WINDOW_S = 0.02
_BUSY_SHARE = 0.02
_SLEEP_S_MAX = 0.1
"""A throttled thread looks this often whether it should stop."""
_ALLOWANCE_S = 0.1
_ALLOWANCE_BYTES_MIN, _ALLOWANCE_BYTES_MAX = 4096, 8 * 1024 * 1024
"""What a process may touch between two questions. The most takes it a tenth of a second, too."""
_REST_S_MIN = 0.0005
"""Less is left for the next time."""


class Throttle:
    """Bytes a second, read and written, of all workers together.

    `bytes_per_s` is asked each time: the setting may change meanwhile.
    """

    __slots__ = ("_bytes_per_s", "_free_at_s", "_lock", "_now_s")

    def __init__(
        self, bytes_per_s: Callable[[], float], now_s: Callable[[], float] = time.perf_counter
    ) -> None:
        self._bytes_per_s = bytes_per_s
        self._now_s = now_s
        self._lock = threading.Lock()
        self._free_at_s = now_s()

    def take(self, size_bytes: int) -> float:
        """Count bytes; returns how many seconds whoever took them is to rest."""
        with self._lock:
            now_s = self._now_s()
            self._free_at_s = max(self._free_at_s, now_s) + size_bytes / max(self._bytes_per_s(), 1.0)
            return self._free_at_s - now_s

    def forgive(self) -> None:
        """Nobody need rest any more for what was taken: the setting was another."""
        with self._lock:
            self._free_at_s = self._now_s()

    @property
    def allowance_bytes(self) -> int:
        """How much may be taken at once, without too long a rest afterwards."""
        wanted = max(self._bytes_per_s(), 1.0) * _ALLOWANCE_S
        return int(min(max(wanted, _ALLOWANCE_BYTES_MIN), _ALLOWANCE_BYTES_MAX))


class ChildPace:
    """What a process for compaction waits for, see `compaction_child`."""

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle
        self._rate_changed = trio.Event()

    def rate_changed(self) -> None:
        """Whoever rests is to look again: what it took was under another setting."""
        self._throttle.forgive()
        self._rate_changed.set()
        self._rate_changed = trio.Event()

    async def wait_allowed(self, size_bytes: int) -> int:
        """Rest for so many bytes; returns how many are the next."""
        while (rest_s := self._throttle.take(size_bytes)) > _REST_S_MIN:
            size_bytes = 0
            with trio.move_on_after(rest_s):
                await self._rate_changed.wait()
        return self._throttle.allowance_bytes


class LoopLoad:
    """Whether the event loop had work lately. Made on its thread, and asked on one other.

    `used_s` is the processor time of the loop's thread; where the system does not tell it (macOS), the loop
    counts as busy.
    """

    __slots__ = ("_is_busy", "_now_s", "_since_s", "_used_before_s", "_used_s")

    def __init__(
        self, used_s: Callable[[], float] | None = None, now_s: Callable[[], float] = time.perf_counter
    ) -> None:
        self._used_s = used_s or _processor_time_of_this_thread()
        self._now_s = now_s
        self._since_s = now_s()
        self._used_before_s = self._used_s() if self._used_s else 0.0
        self._is_busy = True

    def is_busy(self) -> bool:
        """Whether it used more than a fiftieth of the last window of 20 ms that is over."""
        if self._used_s is None:
            return True
        now_s = self._now_s()
        if now_s - self._since_s >= _WINDOW_S:
            used_s = self._used_s()
            self._is_busy = used_s - self._used_before_s > _BUSY_SHARE * (now_s - self._since_s)
            self._since_s, self._used_before_s = now_s, used_s
        return self._is_busy


def _processor_time_of_this_thread() -> Callable[[], float] | None:
    clock_of = getattr(time, "pthread_getcpuclockid", None)
    if clock_of is None:
        return None
    clock = clock_of(threading.get_ident())
    return lambda: time.clock_gettime(clock)


class Pacer:
    """What a thread of the cleaner calls after each piece of work. That thread needs the interpreter that
    requests need too, so it rests after every slice: for long enough that whoever waits gets it, and hardly
    while nobody does. Made on the event loop's thread.
    """

    __slots__ = ("_bytes", "_loop", "_since_s", "_throttle")

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle
        self._loop = LoopLoad()
        self._bytes = 0
        self._since_s = time.perf_counter()

    def __call__(self, size_bytes: int) -> None:
        """Raises trio.Cancelled when the server stops."""
        self._bytes += size_bytes
        if time.perf_counter() - self._since_s < _SLICE_S:
            return
        rest_s = _REST_S if self._loop.is_busy() else _REST_ALONE_S
        rest_s = max(rest_s, self._throttle.take(self._bytes))
        while rest_s > 0:
            trio.from_thread.check_cancelled()
            time.sleep(min(rest_s, _SLEEP_S_MAX))
            rest_s -= _SLEEP_S_MAX
        self._bytes = 0
        self._since_s = time.perf_counter()
