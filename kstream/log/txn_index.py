"""`.txnindex`: the aborted transactions of a segment, for read_committed readers.

34 bytes an entry, big-endian: version int16 (0), producer id, first offset, last offset (of the abort
marker), last stable offset (when the marker was written), each int64; ascending by last offset. An entry
stands in the segment that has its marker.

Crash policy: written with the marker, synced with it. When its segment is recovered, or its size is none that
it can have, it is compared with the log, and replaced where it differs by one that was written beside and
synced: until that stands there the old one does, since a start may find nothing else to check it by.
"""

from __future__ import annotations

import logging
import os
import struct
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kstream.errors import KstreamError
from kstream.log.checkpoints import replace_file

if TYPE_CHECKING:
    from kstream.log.platform import Platform

_log = logging.getLogger(__name__)

_ENTRY = struct.Struct(">hqqqq")
ENTRY_BYTES = _ENTRY.size
_LAST_OFFSET = struct.Struct(">q")
_LAST_OFFSET_POSITION = struct.calcsize(">hqq")
_BEHIND_LAST_OFFSET = ENTRY_BYTES - _LAST_OFFSET_POSITION
_BEHIND_LAST_STABLE_OFFSET = ENTRY_BYTES - struct.calcsize(">hqqq")


class CorruptTransactionIndex(KstreamError):
    """The file cannot be a transaction index; rebuild it."""


class AbortedTransaction(NamedTuple):
    """One aborted transaction in one partition; offsets inclusive."""

    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int


class TransactionIndex:
    """One segment's aborted transactions; read at first use. There is no file where there are none.

    In memory they are as on file: a segment may have millions, of which a reader needs few.
    """

    __slots__ = ("_content", "_written_bytes", "is_unsynced", "path")

    def __init__(self, path: Path, *, is_new: bool = False) -> None:
        """`is_new`: without entries, whatever the file has."""
        self.path = path
        self._content: bytearray | None = bytearray() if is_new else None
        self._written_bytes = 0
        self.is_unsynced = False
        """Whether the file was written to since somebody had it on the disk."""

    @property
    def is_loaded(self) -> bool:
        """Whether questions are answered from memory."""
        return self._content is not None

    def load(self) -> None:
        """Read the file now, which else the first question does. Raises as `entries`, and OSError."""
        self._loaded()

    def _loaded(self) -> bytearray:
        """All entries, packed. Raises CorruptTransactionIndex."""
        if self._content is None:
            try:
                with self.path.open("rb", buffering=0) as file:
                    content = bytearray(os.fstat(file.fileno()).st_size)
                    del content[file.readinto(content) or 0 :]
            except FileNotFoundError:
                content = bytearray()
            if len(content) % ENTRY_BYTES:
                raise CorruptTransactionIndex(f"{self.path} is not a whole number of entries")
            if self._content is None:  # in a thread: who was faster may have changed it, or the file's name
                self._written_bytes = len(content)
                self._content = content
        return self._content

    @property
    def entries(self) -> list[AbortedTransaction]:
        """All entries. Raises CorruptTransactionIndex."""
        return [AbortedTransaction._make(entry[1:]) for entry in _ENTRY.iter_unpack(self._loaded())]

    def ends_before(self, offset: int) -> bool:
        """Whether the last marker is before `offset`, so that a reader from there needs none. HOT."""
        content = self._content if self._content is not None else self._loaded()
        return (
            not content or _LAST_OFFSET.unpack_from(content, len(content) - _BEHIND_LAST_OFFSET)[0] < offset
        )

    def completes(self, first_offset: int, upper_bound_offset: int) -> bool:
        """Whether `collect` is going to say that later segments are done."""
        if self.ends_before(first_offset):
            return False
        content = self._loaded()
        (stable,) = _LAST_OFFSET.unpack_from(content, len(content) - _BEHIND_LAST_STABLE_OFFSET)
        return int(stable) >= upper_bound_offset

    def append(self, entry: AbortedTransaction) -> None:
        """Add one, on file at once if that can be written, else with `flush`."""
        self.extend((entry,))
        try:
            self.flush()
        except OSError as error:
            # The marker is written, and readers look here in memory: a roll or close that cannot write it
            # fails.
            _log.warning("%s is not written yet: %s", self.path, error)

    def extend(self, entries: Iterable[AbortedTransaction]) -> None:
        """Add some, on file with `flush`."""
        self._loaded().extend(b"".join(_ENTRY.pack(0, *entry) for entry in entries))

    def flush(self) -> None:
        """Write the entries that are only in memory. Raises OSError."""
        content = self._content
        if content is None or self._written_bytes == len(content):
            return
        self.is_unsynced = True
        run = bytes(content[self._written_bytes :])
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if os.pwrite(fd, run, self._written_bytes) != len(run):
                raise OSError(f"short write to {self.path}")
        finally:
            os.close(fd)
        self._written_bytes = len(content)

    def truncate(self, offset: int) -> None:
        """Drop the transactions whose marker is at or behind `offset`."""
        content = self._loaded()
        kept_bytes = self._first_ending_at(offset) * ENTRY_BYTES
        if kept_bytes < len(content):
            if kept_bytes < self._written_bytes:
                self.is_unsynced = True
                os.truncate(self.path, kept_bytes)
                self._written_bytes = kept_bytes
            del content[kept_bytes:]

    def replace(self, other: TransactionIndex, platform: Platform) -> None:
        """Have the entries of another one, which is in memory alone: on the disk all at once, or those of
        before. A file that has them already is left as it is.

        Raises OSError.
        """
        content = other._loaded()
        try:
            found = self.path.read_bytes()
        except FileNotFoundError:
            found = b""
        if found != content:
            if content:
                replace_file(self.path, content, sync=platform.has_sync)
            else:
                self.path.unlink()
            platform.sync_directory(self.path.parent)
        self._written_bytes = len(content)
        self._content = content

    def clear(self) -> None:
        """Delete the file, of a segment that is yet to be written."""
        self.path.unlink(missing_ok=True)
        self._content = bytearray()
        self._written_bytes = 0

    def collect(self, first_offset: int, upper_bound_offset: int) -> tuple[list[AbortedTransaction], bool]:
        """Those that overlap `first_offset` (inclusive) to `upper_bound_offset`; and whether later segments
        are done.

        A transaction whose marker's last stable offset is at or behind the bound proves that all that began
        below it have ended. Those that ended before `first_offset` are not looked at.
        """
        content = self._loaded()
        found: list[AbortedTransaction] = []
        for position in range(self._first_ending_at(first_offset) * ENTRY_BYTES, len(content), ENTRY_BYTES):
            entry = AbortedTransaction._make(_ENTRY.unpack_from(content, position)[1:])
            if entry.first_offset < upper_bound_offset:
                found.append(entry)
            if entry.last_stable_offset >= upper_bound_offset:
                return found, True
        return found, False

    def _first_ending_at(self, offset: int) -> int:
        """The number of the first entry whose marker is at or behind `offset`."""
        content = self._loaded()

        def last_offset(number: int) -> int:
            (found,) = _LAST_OFFSET.unpack_from(content, number * ENTRY_BYTES + _LAST_OFFSET_POSITION)
            return int(found)

        return bisect_left(range(len(content) // ENTRY_BYTES), offset, key=last_offset)
