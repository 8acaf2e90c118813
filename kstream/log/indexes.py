"""Offset index and time index: fixed-width entries that say where in a segment to begin a search.

`.index`, 8 bytes an entry: last offset of a batch, relative to the segment's base offset, uint32; the batch's
position in the `.log`, uint32. `.timeindex`, 12 bytes: the largest timestamp so far, int64; last offset of
the batch that brought it, relative, uint32. Big-endian, both columns strictly ascending.

Crash policy: never synced before its segment is, checked whole when it is loaded, and rebuilt from the log
when it is missing, does not ascend, or contradicts the log.

The newest entries are kept in memory and written in runs; those on file are searched as a NumPy array over a
mapping. NumPy is imported only for an index that has more entries than that memory holds, so a server whose
logs are small starts without it.
"""

from __future__ import annotations

import logging
import mmap
import os
import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

from kstream.errors import KstreamError

_log = logging.getLogger(__name__)

_RUN = 512
"""Entries that are written to the file at once; twice as many are kept in memory at most."""


class CorruptIndex(KstreamError):
    """The file cannot be an index of its segment; rebuild it."""


class Index:
    """One index file. Keys and values are what the two columns hold: offsets relative to the base offset."""

    ENTRY: ClassVar[struct.Struct]
    DTYPE: ClassVar[list[tuple[str, str]]]

    __slots__ = ("_file_entries", "_memory_begin", "_written", "keys", "path", "values")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.keys = array("q")
        self.values = array("q")
        self._memory_begin = 0  # number of the first entry that is in memory
        self._written = 0  # entries in the file
        self._file_entries: Any = None

    def load(self) -> None:
        """Take the file as it is.

        Raises:
            CorruptIndex: it is not a whole number of ascending entries.
            FileNotFoundError: there is none.
        """
        size_bytes = self.path.stat().st_size
        count, rest = divmod(size_bytes, self.ENTRY.size)
        if rest:
            raise CorruptIndex(f"{self.path} has {rest} bytes too many")
        self.keys, self.values = array("q"), array("q")
        self._written = count
        self._memory_begin = 0
        self._file_entries = None
        if count <= _RUN:
            for key, value in self.ENTRY.iter_unpack(self.path.read_bytes()):
                self.keys.append(key)
                self.values.append(value)
            ascending = _ascends(self.keys) and _ascends(self.values)
        else:
            self._memory_begin = count
            entries = self.file_entries()
            ascending = bool(
                (entries["key"][1:] > entries["key"][:-1]).all()
                and (entries["value"][1:] > entries["value"][:-1]).all()
            )
        if not ascending:
            raise CorruptIndex(f"{self.path} does not ascend")

    @property
    def count(self) -> int:
        return self._memory_begin + len(self.keys)

    def append(self, key: int, value: int) -> None:
        """Both must be above those of the entry before."""
        self.keys.append(key)
        self.values.append(value)
        if len(self.keys) % _RUN == 0 and self._memory_begin + len(self.keys) > self._written:
            try:
                self.flush()
            except OSError as error:
                # The batch is written, and an index can wait: it stays in memory, and a roll or close that
                # cannot write it fails.
                _log.warning("%s is not written yet: %s", self.path, error)

    def last(self) -> tuple[int, int] | None:
        """The newest entry."""
        return self.entry(self.count - 1) if self.count else None

    def entry(self, number: int) -> tuple[int, int]:
        """Key and value of one entry, counted from 0."""
        at = number - self._memory_begin
        if at >= 0:
            return self.keys[at], self.values[at]
        key, value = self.file_entries()[number]
        return int(key), int(value)

    def floor(self, key: int) -> tuple[int, int] | None:
        """The last entry whose key is at most `key`. HOT."""
        keys = self.keys
        if keys and keys[0] <= key:
            at = bisect_right(keys, key) - 1
            return keys[at], self.values[at]
        if not self._memory_begin:
            return None
        number = bisect_right(self._column("key"), key)
        return self.entry(number - 1) if number else None

    def first_with_value_from(self, value: int) -> tuple[int, int] | None:
        """The first entry whose value is at least `value`."""
        number = self._count_below("value", value)
        return self.entry(number) if number < self.count else None

    def truncate(self, *, key: int | None = None, value: int | None = None) -> None:
        """Drop entries whose key, or whose value, is at or above the one given."""
        if key is not None:
            self.keep(self._count_below("key", key))
        if value is not None:
            self.keep(self._count_below("value", value))

    def keep(self, count: int) -> None:
        """Keep the first `count` entries only."""
        if count >= self.count:
            return
        if count < self._written:
            self._file_entries = None
            os.truncate(self.path, count * self.ENTRY.size)
            self._written = count
        self._memory_begin = min(self._memory_begin, count)
        del self.keys[count - self._memory_begin :]
        del self.values[count - self._memory_begin :]

    def clear(self) -> None:
        """Begin anew with an empty file."""
        self.path.write_bytes(b"")
        self.keys, self.values = array("q"), array("q")
        self._memory_begin = self._written = 0
        self._file_entries = None

    def flush(self) -> None:
        """Write the entries that are only in memory; keep the newest there. Raises OSError."""
        begin = self._written - self._memory_begin
        if begin < len(self.keys):
            pack = self.ENTRY.pack
            run = b"".join(map(pack, self.keys[begin:], self.values[begin:]))
            fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                if os.pwrite(fd, run, self._written * self.ENTRY.size) != len(run):
                    raise OSError(f"short write to {self.path}")
            finally:
                os.close(fd)
            self._written = self.count
            self._file_entries = None
        surplus = len(self.keys) - _RUN
        if surplus > 0:
            del self.keys[:surplus]
            del self.values[:surplus]
            self._memory_begin += surplus

    def file_entries(self) -> Any:
        """The entries on file: a NumPy array over a mapping, columns "key" and "value"."""
        if self._file_entries is None:
            import numpy as np

            with self.path.open("rb") as file:
                size_bytes = self._written * self.ENTRY.size
                mapping = mmap.mmap(file.fileno(), size_bytes, mmap.MAP_SHARED, mmap.PROT_READ)
            self._file_entries = np.frombuffer(mapping, dtype=self.DTYPE)
        return self._file_entries

    def _column(self, name: str) -> Sequence[int]:
        # bisect over the array beats numpy.searchsorted, which would first copy it into the machine's byte
        # order.
        column: Sequence[int] = self.file_entries()[name][: self._memory_begin]
        return column

    def _count_below(self, name: str, limit: int) -> int:
        memory = self.keys if name == "key" else self.values
        if self._memory_begin and not (memory and memory[0] < limit):
            return bisect_left(self._column(name), limit)
        return self._memory_begin + bisect_left(memory, limit)


class OffsetIndex(Index):
    """`.index`: key is a batch's last offset, value its position."""

    ENTRY = struct.Struct(">II")
    DTYPE: ClassVar[list[tuple[str, str]]] = [("key", ">u4"), ("value", ">u4")]

    __slots__ = ()


class TimeIndex(Index):
    """`.timeindex`: key is a timestamp, value the last offset of the batch that brought it."""

    ENTRY = struct.Struct(">qI")
    DTYPE: ClassVar[list[tuple[str, str]]] = [("key", ">i8"), ("value", ">u4")]

    __slots__ = ()

    def append_if_later(self, timestamp_ms: int, relative_offset: int) -> None:
        """Append unless both columns would not ascend."""
        last = self.last()
        if last is None or (timestamp_ms > last[0] and relative_offset > last[1]):
            self.append(timestamp_ms, relative_offset)


def _ascends(column: Sequence[int]) -> bool:
    return all(a < b for a, b in pairwise(column))
