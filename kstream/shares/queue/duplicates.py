"""Records that come a second time within a window, told by the log alone: the first one counts.

Whether a record is a duplicate depends on those before it in the log and their timestamps, never on what
became of them, so that a restart, which reads the window before the queue's start again, comes to the
same.
"""

from __future__ import annotations

from collections import deque

_KNOWN_MAX = 1_000_000


class Duplicates:
    """The identities of the last `window_ms`, at most a million: then the oldest go before their time."""

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms
        self._seen: dict[bytes, int] = {}
        self._order: deque[tuple[int, bytes]] = deque()

    def __len__(self) -> int:
        return len(self._seen)

    def is_known(self, identity: bytes, timestamp_ms: int) -> bool:
        """Whether a record with this identity was there within the window before; it is from now on."""
        self._forget(timestamp_ms - self._window_ms)
        first_ms = self._seen.get(identity)
        if first_ms is not None and timestamp_ms - first_ms <= self._window_ms:
            return True
        self._seen[identity] = timestamp_ms
        self._order.append((timestamp_ms, identity))
        return False

    def _forget(self, before_ms: int) -> None:
        order = self._order
        while order and (order[0][0] < before_ms or len(order) > _KNOWN_MAX):
            timestamp_ms, identity = order.popleft()
            if self._seen.get(identity) == timestamp_ms:
                del self._seen[identity]
