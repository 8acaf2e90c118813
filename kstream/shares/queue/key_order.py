"""First in, first out for each key: the first record of a key that is not done holds back the others."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator


class KeyOrder:
    """Which records wait behind which. Records without a key never do."""

    def __init__(self) -> None:
        self._offsets: dict[bytes, deque[int]] = {}
        self._keys: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, offset: int, key: bytes | None) -> bool:
        """A record that comes behind all others so far; whether it is the first of its key."""
        if key is None:
            return True
        self._keys[offset] = key
        waiting = self._offsets.setdefault(key, deque())
        waiting.append(offset)
        return waiting[0] == offset

    def is_first(self, offset: int) -> bool:
        """Whether no other record of its key is before it."""
        key = self._keys.get(offset)
        return key is None or self._offsets[key][0] == offset

    def remove(self, offset: int) -> int | None:
        """A record is done with; the one that is first now in its place, if that is news."""
        key = self._keys.pop(offset, None)
        if key is None:
            return None
        waiting = self._offsets[key]
        was_first = waiting[0] == offset
        if was_first:
            waiting.popleft()
        else:
            waiting.remove(offset)
        if not waiting:
            del self._offsets[key]
            return None
        return waiting[0] if was_first else None

    def below(self, offset: int) -> Iterator[int]:
        """The records below an offset."""
        return iter([each for each in self._keys if each < offset])
