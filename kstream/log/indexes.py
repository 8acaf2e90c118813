"""Offset index and time index: fixed-width entries that say where in a segment to begin a search.

`.index`, 8 bytes an entry: last offset of a batch, relative to the segment's base offset, uint32; the batch's
position in the `.log`, uint32. `.timeindex`, 12 bytes: the largest timestamp so far, int64; last offset of
the batch that brought it, relative, uint32. Big-endian, both columns strictly ascending.

Crash policy: never synced before its segment is, checked whole when it is loaded, and rebuilt from the log
when it is missing, does not ascend, or contradicts the log: beside, synced, and renamed into place, since
half of one may look whole.

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
from typing import TYPE_CHECKING, Any, ClassVar

from kstream.errors import KstreamError

if TYPE_CHECKING:
    from kstream.log.platform import Platform

_log = logging.getLogger(__name__)

BESIDE_SUFFIX = ".tmp"
"""Behind the name of a file that is not whole yet; an opening deletes such."""
_RUN = 512
"""Entries that are written to the file at once; twice as many are kept in memory at most."""


class CorruptIndex(KstreamError):
    """The file cannot be an index of its segment; rebuild it."""


class Index:
    """One index file. Keys and values are what the two columns hold."""

    ENTRY: ClassVar[struct.Struct]
    DTYPE: ClassVar[list[tuple[str, str]]]

    __slots__ = ("_columns", "_mapping", "_memory", "_written", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        # Number of the first entry that is in memory, keys, values. Replaced as one, so that a search in
        # another thread sees columns that belong together.
        self._memory = (0, array("q"), array("q"))
        self._written = 0  # entries in the file
        self._mapping: mmap.mmap | None = None  # of all entries that are not in memory
        self._columns: tuple[Any, Any] | None = None

    def load(self) -> None:
        """Take the file as it is, its newest entries into memory.

        Raises:
            CorruptIndex: it is not a whole number of ascending entries.
            FileNotFoundError: there is none.
        """
        with self.path.open("rb") as file:
            count, rest = divmod(os.fstat(file.fileno()).st_size, self.ENTRY.size)
            if rest:
                raise CorruptIndex(f"{self.path} has {rest} bytes too many")
            begin = max(0, count - _RUN)
            file.seek(begin * self.ENTRY.size)
            content = file.read((count - begin) * self.ENTRY.size)
        if count > 1 and not any(content[-self.ENTRY.size :]):
            self._cut_unused()
            self.load()
            return
        keys, values = array("q"), array("q")
        for key, value in self.ENTRY.iter_unpack(content):
            keys.append(key)
            values.append(value)
        if not (_ascends(keys) and _ascends(values)):
            raise CorruptIndex(f"{self.path} does not ascend")
        self._memory = (begin, keys, values)
        self._written = count
        self._forget_mapping()

    def _forget_mapping(self) -> None:
        self._mapping = self._columns = None

    def _cut_unused(self) -> None:
        """Cut off entries of zeros: Apache Kafka makes indexes as large as they may become, and leaves its
        metadata log's so even when it stops in order.
        """
        used_bytes = len(self.path.read_bytes().rstrip(b"\0"))
        count = -(-used_bytes // self.ENTRY.size)
        os.truncate(self.path, count * self.ENTRY.size)

    @property
    def count(self) -> int:
        begin, keys, _ = self._memory
        return begin + len(keys)

    def append(self, key: int, value: int) -> None:
        """Both must be above those of the entry before."""
        begin, keys, values = self._memory
        # In this order for those who search in a thread meanwhile.
        values.append(value)
        keys.append(key)
        if len(keys) % _RUN == 0 and begin + len(keys) > self._written:
            try:
                self.flush()
            except OSError as error:
                # The batch is written, and an index can wait: it stays in memory, and a roll or close that
                # cannot write it fails.
                _log.warning("%s is not written yet: %s", self.path, error)

    def last(self) -> tuple[int, int] | None:
        """The newest entry."""
        count = self.count
        return self.entry(count - 1) if count else None

    def entry(self, number: int) -> tuple[int, int]:
        """Key and value of one entry, counted from 0."""
        begin, keys, values = self._memory
        if number >= begin:
            return keys[number - begin], values[number - begin]
        file_keys, file_values = self.columns()
        return int(file_keys[number]), int(file_values[number])

    def floor(self, key: int) -> tuple[int, int] | None:
        """The last entry whose key is at most `key`. HOT. Raises CorruptIndex."""
        begin, keys, values = self._memory
        if keys and keys[0] <= key:
            at = bisect_right(keys, key) - 1
            return keys[at], values[at]
        if not begin:
            return None
        # bisect over the array beats numpy.searchsorted, which would first copy it into the machine's byte
        # order.
        file_keys, file_values = self.columns()
        number = bisect_right(file_keys, key)
        return (int(file_keys[number - 1]), int(file_values[number - 1])) if number else None

    def above(self, key: int) -> tuple[int, int] | None:
        """The first entry whose key is above `key`. Raises CorruptIndex."""
        number = self._count_below("key", key + 1)
        return self.entry(number) if number < self.count else None

    def first_with_value_from(self, value: int) -> tuple[int, int] | None:
        """The first entry whose value is at least `value`. Raises CorruptIndex."""
        number = self._count_below("value", value)
        return self.entry(number) if number < self.count else None

    def truncate(self, *, key: int | None = None, value: int | None = None) -> None:
        """Drop entries whose key, or value, is at or above the one given. Raises CorruptIndex, OSError."""
        if key is not None:
            self.keep(self._count_below("key", key))
        if value is not None:
            self.keep(self._count_below("value", value))

    def keep(self, count: int) -> None:
        """Keep the first `count` entries only. Raises OSError."""
        begin, keys, values = self._memory
        if count >= begin + len(keys):
            return
        if count < self._written:
            self._forget_mapping()
            os.truncate(self.path, count * self.ENTRY.size)
            self._written = count
        if count >= begin:
            self._memory = (begin, keys[: count - begin], values[: count - begin])
        else:
            self.load()

    def clear(self) -> None:
        """Begin anew with an empty file. Raises OSError."""
        os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644))
        self._memory = (0, array("q"), array("q"))
        self._written = 0
        self._forget_mapping()

    def put_in_place(self, platform: Platform) -> None:
        """Give the file, which was written beside, its name, once it is on the disk. Raises OSError."""
        platform.sync_path(self.path)
        path = self.path.with_name(self.path.name.removesuffix(BESIDE_SUFFIX))
        os.replace(self.path, path)
        self.path = path

    def end_file(self) -> None:
        """Write all that is in memory, and have nothing else in the file. Raises OSError."""
        self.flush()
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            size_bytes = self._written * self.ENTRY.size
            if os.fstat(fd).st_size > size_bytes:
                os.ftruncate(fd, size_bytes)
        finally:
            os.close(fd)

    def flush(self) -> None:
        """Write the entries that are only in memory; keep the newest there. Raises OSError."""
        begin, keys, values = self._memory
        unwritten = self._written - begin
        if unwritten < len(keys):
            run = b"".join(map(self.ENTRY.pack, keys[unwritten:], values[unwritten:]))
            fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                if os.pwrite(fd, run, self._written * self.ENTRY.size) != len(run):
                    raise OSError(f"short write to {self.path}")
            finally:
                os.close(fd)
            self._written = begin + len(keys)
        surplus = len(keys) - _RUN
        if surplus > 0:
            self._forget_mapping()
            self._memory = (begin + surplus, keys[surplus:], values[surplus:])

    def open_columns(self) -> None:
        """Have all entries open or in memory, so that the file's name is not needed any more. Raises
        OSError.
        """
        if self._memory[0]:
            self._map_file()

    def _map_file(self) -> mmap.mmap:
        mapping = self._mapping
        if mapping is None:
            with self.path.open("rb") as file:
                size_bytes = self._memory[0] * self.ENTRY.size
                mapping = mmap.mmap(file.fileno(), size_bytes, mmap.MAP_SHARED, mmap.PROT_READ)
            self._mapping = mapping
        return mapping

    def columns(self) -> tuple[Any, Any]:
        """Keys and values of the entries that are no longer in memory: NumPy arrays over a mapping.

        Raises CorruptIndex if they do not ascend.
        """
        columns = self._columns
        if columns is None:
            import numpy as np

            entries = np.frombuffer(self._map_file(), dtype=self.DTYPE)
            columns = (entries["key"], entries["value"])
            for column in columns:
                if not (column[1:] > column[:-1]).all():
                    raise CorruptIndex(f"{self.path} does not ascend")
            self._columns = columns
        return columns

    def _count_below(self, name: str, limit: int) -> int:
        begin, keys, values = self._memory
        memory = keys if name == "key" else values
        if begin and not (memory and memory[0] < limit):
            return bisect_left(self.columns()[name == "value"], limit)
        return begin + bisect_left(memory, limit)


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


def last_timestamp_ms(path: Path) -> int:
    """The largest timestamp that a time index's file tells, without opening it as one; -1 for none. Raises
    OSError.
    """
    try:
        with path.open("rb") as file:
            size = TimeIndex.ENTRY.size
            count = os.fstat(file.fileno()).st_size // size
            if not count:
                return -1
            file.seek((count - 1) * size)
            timestamp_ms: int = TimeIndex.ENTRY.unpack(file.read(size))[0]
            return timestamp_ms
    except FileNotFoundError:
        return -1


def _ascends(column: Sequence[int]) -> bool:
    return all(a < b for a, b in pairwise(column))
