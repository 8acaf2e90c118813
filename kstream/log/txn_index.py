"""`.txnindex`: the aborted transactions of a segment, for read_committed readers.

34 bytes an entry, big-endian: version int16 (0), producer id, first offset, last offset (of the abort
marker), last stable offset (when the marker was written), each int64; ascending by last offset. An entry
stands in the segment that has its marker.

Crash policy: written with the marker, not synced before its segment is; rebuilt from the log when that
segment is recovered.
"""

from __future__ import annotations

import logging
import os
import struct
from pathlib import Path
from typing import NamedTuple

from kstream.errors import KstreamError

_log = logging.getLogger(__name__)

_ENTRY = struct.Struct(">hqqqq")
ENTRY_BYTES = _ENTRY.size


class CorruptTransactionIndex(KstreamError):
    """The file cannot be a transaction index; rebuild it."""


class AbortedTransaction(NamedTuple):
    """One aborted transaction in one partition; offsets inclusive."""

    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int


class TransactionIndex:
    """One segment's aborted transactions; read at first use. There is no file where there are none."""

    __slots__ = ("_entries", "_written", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: list[AbortedTransaction] | None = None
        self._written = 0

    @property
    def entries(self) -> list[AbortedTransaction]:
        """All entries. Raises CorruptTransactionIndex."""
        if self._entries is None:
            try:
                content = self.path.read_bytes()
            except FileNotFoundError:
                content = b""
            if len(content) % _ENTRY.size:
                raise CorruptTransactionIndex(f"{self.path} is not a whole number of entries")
            self._entries = [AbortedTransaction._make(entry[1:]) for entry in _ENTRY.iter_unpack(content)]
            self._written = len(self._entries)
        return self._entries

    def append(self, entry: AbortedTransaction) -> None:
        """Add one, on file at once if that can be written, else with `flush`."""
        self.entries.append(entry)
        try:
            self.flush()
        except OSError as error:
            # The marker is written, and readers look here in memory: a roll or close that cannot write it
            # fails.
            _log.warning("%s is not written yet: %s", self.path, error)

    def flush(self) -> None:
        """Write the entries that are only in memory. Raises OSError."""
        if self._entries is None or self._written == len(self._entries):
            return
        run = b"".join(_ENTRY.pack(0, *entry) for entry in self._entries[self._written :])
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if os.pwrite(fd, run, self._written * _ENTRY.size) != len(run):
                raise OSError(f"short write to {self.path}")
        finally:
            os.close(fd)
        self._written = len(self._entries)

    def truncate(self, offset: int) -> None:
        """Drop the transactions whose marker is at or behind `offset`."""
        count = sum(entry.last_offset < offset for entry in self.entries)
        if count < len(self.entries):
            if count < self._written:
                os.truncate(self.path, count * _ENTRY.size)
                self._written = count
            self._entries = self.entries[:count]

    def clear(self) -> None:
        """Delete the file: for a rebuild."""
        self.path.unlink(missing_ok=True)
        self._entries = []
        self._written = 0

    def collect(self, first_offset: int, upper_bound_offset: int) -> tuple[list[AbortedTransaction], bool]:
        """Those that overlap `first_offset` (inclusive) to `upper_bound_offset`; and whether later segments
        are done.

        A transaction whose marker's last stable offset is at or behind the bound proves that all that began
        below it have ended.
        """
        found = []
        for entry in self.entries:
            if entry.last_offset >= first_offset and entry.first_offset < upper_bound_offset:
                found.append(entry)
            if entry.last_stable_offset >= upper_bound_offset:
                return found, True
        return found, False
