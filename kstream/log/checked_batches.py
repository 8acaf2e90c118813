"""A `.log` file from its beginning to its end, batch by batch, each with its CRC checked.

Read with plain reads into one buffer: they wait for the disk without the GIL, where the page faults of a
mapping would hold it, and the buffer stays in the processor's cache. The kernel is told what comes next, so
that the disk has work while a piece is checked, whatever read-ahead the system is set to.
"""

from __future__ import annotations

from collections.abc import Callable

from kstream.log.files import SegmentFile
from kstream.log.platform import COLD_PIECE_BYTES, Buffer
from kstream.records.batch import HEADER_SIZE, LOG_OVERHEAD, BatchHeader, check_crc, read_header
from kstream.records.errors import CorruptBatch

_BUFFER_BYTES = 2 * COLD_PIECE_BYTES
"""Enough for all but unusual batches: `message.max.bytes` is one piece by default."""
READ_AHEAD_BYTES = 8 * COLD_PIECE_BYTES
"""How far in front of what is checked the disk reads; held by the page cache, not by us."""


class CheckedBatches:
    """Batches one after the other: `header`, then `check`, which goes on to the next one. HOT."""

    __slots__ = ("_ahead", "_begin", "_buffer", "_end", "_file", "_file_bytes", "_on_checked", "position")

    def __init__(self, file: SegmentFile, file_bytes: int, on_checked: Callable[[int], None] | None) -> None:
        """`on_checked` is told of every piece that was read."""
        self._file = file
        self._file_bytes = file_bytes
        self._on_checked = on_checked
        self._begin = self._end = 0  # what of the file is in the buffer
        self._ahead = 0  # up to where the kernel was asked to read
        self._buffer = memoryview(bytearray(min(_BUFFER_BYTES, file_bytes)))
        self.position = 0
        """Where the next batch begins, and the good ones end."""

    def header(self) -> BatchHeader:
        """The next batch's header. Raises CorruptBatch if there is none, OSError."""
        if self._end - self.position < HEADER_SIZE:
            self._have(HEADER_SIZE)
        return read_header(self._buffer, self.position - self._begin)

    def check(self, header: BatchHeader) -> tuple[Buffer, int]:
        """Check the next batch, which has that header, and pass it by; returns where it stands, until the
        next call.

        Raises CorruptBatch, OSError.
        """
        position = self.position
        size_bytes = header.length + LOG_OVERHEAD
        end = position + size_bytes
        if end <= self._end:
            buffer, at = self._buffer, position - self._begin
        elif size_bytes <= len(self._buffer) or end > self._file_bytes:
            self._have(size_bytes)
            buffer, at = self._buffer, 0
        else:
            buffer, at = self._large(end), position
        check_crc(buffer, at, size_bytes)
        self.position = end
        return buffer, at

    def _have(self, size_bytes: int) -> None:
        """Have so many bytes from `position` on, and what follows, from the beginning of the buffer on."""
        missing_bytes = self.position + size_bytes - self._file_bytes
        if missing_bytes > 0:
            raise CorruptBatch(f"record batch is {missing_bytes} bytes short")
        buffer = self._buffer
        held = buffer[self.position - self._begin : self._end - self._begin]
        buffer[: len(held)] = held
        self._begin = self.position
        file = self._file
        wanted = buffer[len(held) : self._file_bytes - self.position]
        self._read_ahead(self._end + len(wanted))
        while wanted:
            count = file.platform.read_into(file.fd, wanted, self._end)
            if not count:
                raise CorruptBatch(f"the file ends at byte {self._end}")
            self._end += count
            wanted = wanted[count:]
            self._count(count)

    def _read_ahead(self, end: int) -> None:
        """Have the kernel begin with what follows `end`."""
        begin = max(end, self._ahead)
        self._ahead = min(end + READ_AHEAD_BYTES, self._file_bytes)
        if begin < self._ahead:
            self._file.platform.read_ahead(self._file.fd, begin, self._ahead - begin)

    def _large(self, end: int) -> memoryview:
        """The file up to `end`, which is further than the buffer reaches, through its mapping."""
        file = self._file
        file.platform.bring_in(file.fd, self.position, end - self.position)
        self._count(end - self._end)
        self._begin = self._end = end
        return file.mapping(self._file_bytes)

    def _count(self, size_bytes: int) -> None:
        if self._on_checked is not None:
            self._on_checked(size_bytes)
