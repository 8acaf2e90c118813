"""Key to last offset, in bounded memory: what compaction knows of a log's dirty part.

Keys are kept as their MD5, as Kafka keeps them: 24 bytes an entry whatever a key's length, and two keys that
share one are not to be met by chance. Open addressing over anonymous memory, which the system hands out page
by page as it is touched.
"""

from __future__ import annotations

import mmap
import struct
from hashlib import md5

ENTRY_BYTES = 24
_LOAD_FACTOR_MAX = 0.9
_unpack_digest = struct.Struct("=qq").unpack


class OffsetMap:
    """Open addressing: 16 bytes of digest and an offset for each slot."""

    __slots__ = ("_end", "_table", "count", "count_max", "latest_offset")

    def __init__(self, size_bytes_max: int, *, expected_count: int, load_factor: float = 0.9) -> None:
        """`size_bytes_max` is never exceeded; less is taken where `expected_count` keys need less."""
        load = min(max(load_factor, 0.01), _LOAD_FACTOR_MAX)
        # Half full where memory allows it: probes are short then.
        slots = max(2, min(size_bytes_max // ENTRY_BYTES, 2 * expected_count + 2))
        self.count_max = max(1, int(slots * load))
        self.count = 0
        self.latest_offset = -1
        """Everything up to this offset is in the map."""
        self._table = memoryview(mmap.mmap(-1, slots * ENTRY_BYTES)).cast("q")
        self._end = slots * 3

    @property
    def is_full(self) -> bool:
        return self.count >= self.count_max

    def put(self, key: bytes, offset: int) -> None:
        """Enter a key's newest offset. HOT. The map must not be full unless the key is known."""
        high, low = _unpack_digest(md5(key, usedforsecurity=False).digest())
        table = self._table
        end = self._end
        at = low * 3 % end
        while table[at + 2]:
            if table[at] == high and table[at + 1] == low:
                table[at + 2] = offset + 1
                return
            at += 3
            if at == end:
                at = 0
        table[at] = high
        table[at + 1] = low
        table[at + 2] = offset + 1  # 0 is a free slot
        self.count += 1

    def get(self, key: bytes) -> int:
        """A key's newest offset, -1 if the key is not there. HOT."""
        high, low = _unpack_digest(md5(key, usedforsecurity=False).digest())
        table = self._table
        end = self._end
        at = low * 3 % end
        while table[at + 2]:
            if table[at] == high and table[at + 1] == low:
                offset: int = table[at + 2]
                return offset - 1
            at += 3
            if at == end:
                at = 0
        return -1
