"""Checking a segment batch by batch after an unclean stop, and keeping aside what does not pass."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from kstream.log.config import INDEX_INTERVAL_BYTES
from kstream.log.files import SegmentFile
from kstream.log.platform import COLD_PIECE_BYTES
from kstream.log.segment import RELATIVE_OFFSET_MAX, Segment
from kstream.records.batch import HEADER_SIZE, BatchHeader, check_crc, read_header
from kstream.records.errors import CorruptBatch

_log = logging.getLogger(__name__)

_BUFFER_BYTES = 2 * COLD_PIECE_BYTES
"""Enough for all but unusual batches: `message.max.bytes` is one piece by default."""


class Verified(NamedTuple):
    """The good front of a segment."""

    next_offset: int
    epochs: list[tuple[int, int]]
    """(leader epoch, first offset), one for each change."""


def verify_segment(
    segment: Segment,
    before_cut: Callable[[int], None],
    on_checked: Callable[[int], None] | None = None,
    *,
    keeps_reserve: bool = False,
) -> Verified:
    """Check every batch of a segment, end it at the first bad one, and rebuild its indexes.

    `before_cut(next_offset)` is called when more than the good front is there, be it zeros, and before that
    goes: until it returned, a start that comes after a crash finds the same. `on_checked` is told of every
    piece. With `keeps_reserve`, zeros stay where they are: the segment is written on, into space that it has,
    and cutting a file costs more than all the rest of checking a small one.

    Raises OSError.
    """
    file = segment.file
    file_bytes = segment.size_bytes
    epochs: list[tuple[int, int]] = []
    next_offset = segment.base_offset
    position = 0
    segment.clear_indexes()
    reason = ""
    pieces = _Pieces(file, file_bytes, on_checked)
    while position < file_bytes:
        try:
            at = pieces.have(position, HEADER_SIZE)
            header = _check_header(read_header(pieces.buffer, at), segment.base_offset, next_offset)
            pieces.check_crc(position, header.size_bytes)
        except CorruptBatch as error:
            reason = str(error)
            break
        end = position + header.size_bytes
        if not epochs or epochs[-1][0] != header.partition_leader_epoch:
            epochs.append((header.partition_leader_epoch, header.base_offset))
        segment.note_batch(
            header.last_offset, header.max_timestamp_ms, position, header.size_bytes, INDEX_INTERVAL_BYTES
        )
        next_offset = header.next_offset
        position = end
    if position < file_bytes:
        before_cut(next_offset)
        keeps_reserve &= not _keep_aside(segment.path, file, position, file_bytes, reason)
    segment.size_bytes = position
    if not keeps_reserve:
        file.cut(position)
    segment.finish_indexes()
    return Verified(next_offset, epochs)


class _Pieces:
    """A file from its beginning to its end, read with plain reads into one buffer: they wait for the disk
    without the GIL, where the page faults of a mapping would hold it, and the buffer stays in the processor's
    cache.
    """

    __slots__ = ("_begin", "_end", "_file", "_file_bytes", "_on_checked", "buffer")

    def __init__(self, file: SegmentFile, file_bytes: int, on_checked: Callable[[int], None] | None) -> None:
        self._file = file
        self._file_bytes = file_bytes
        self._on_checked = on_checked
        self._begin = self._end = 0  # what of the file is in the buffer
        self.buffer = bytearray(min(_BUFFER_BYTES, file_bytes))

    def have(self, position: int, size_bytes: int) -> int:
        """Have so many bytes in the buffer, none of which is before those of the last call; returns where.

        Raises CorruptBatch if the file ends before, OSError.
        """
        end = position + size_bytes
        if end > self._file_bytes:
            raise CorruptBatch(f"record batch is {end - self._file_bytes} bytes short")
        if end > self._end:
            self._read_on(position)
        return position - self._begin

    def check_crc(self, position: int, size_bytes: int) -> None:
        """Check the batch at `position`. Raises CorruptBatch, OSError."""
        if size_bytes <= len(self.buffer):
            at = self.have(position, size_bytes)
            check_crc(self.buffer, at, size_bytes)
            return
        end = position + size_bytes
        if end > self._file_bytes:
            raise CorruptBatch(f"record batch is {end - self._file_bytes} bytes short")
        file = self._file
        file.platform.bring_in(file.fd, position, size_bytes)
        self._count(end - self._end)
        self._begin = self._end = end
        check_crc(file.mapping(self._file_bytes), position, size_bytes)

    def _read_on(self, position: int) -> None:
        held = self.buffer[position - self._begin : self._end - self._begin]
        self.buffer[: len(held)] = held
        self._begin = position
        wanted = memoryview(self.buffer)[len(held) : self._file_bytes - position]
        while wanted:
            count = self._file.platform.read_into(self._file.fd, wanted, self._end)
            if not count:
                raise CorruptBatch(f"the file ends at byte {self._end}")
            self._end += count
            wanted = wanted[count:]
            self._count(count)

    def _count(self, size_bytes: int) -> None:
        if self._on_checked is not None:
            self._on_checked(size_bytes)


def _check_header(header: BatchHeader, base_offset: int, next_offset: int) -> BatchHeader:
    if header.base_offset < next_offset or header.last_offset_delta < 0:
        raise CorruptBatch(f"record batch has offset {header.base_offset} where {next_offset} is next")
    if header.last_offset - base_offset > RELATIVE_OFFSET_MAX:
        raise CorruptBatch(f"record batch has offset {header.last_offset}, too far from {base_offset}")
    return header


def _keep_aside(path: Path, file: SegmentFile, position: int, end: int, reason: str) -> bool:
    """Copy what is cut off to `<segment>.corrupt-<position>`, unless it is all zeros; returns whether it is
    not.
    """
    end = _end_of_content(file.fd, position, end)
    if end == position:
        return False
    aside = path.with_name(f"{path.name}.corrupt-{position}")
    with aside.open("wb") as out:
        at = position
        while at < end:
            piece = os.pread(file.fd, min(COLD_PIECE_BYTES, end - at), at)
            if not piece:
                break
            out.write(piece)
            at += len(piece)
        out.flush()
        os.fsync(out.fileno())
    _log.warning(
        "%s ends at byte %d: %s. The %d bytes behind are kept in %s",
        path,
        position,
        reason,
        end - position,
        aside.name,
    )
    return True


def _end_of_content(fd: int, begin: int, end: int) -> int:
    """Where the zeros that fill the file's end begin, from `begin` on."""
    while end > begin:
        at = max(begin, end - COLD_PIECE_BYTES)
        content = os.pread(fd, end - at, at)
        if content != bytes(len(content)):
            return at + len(content.rstrip(b"\0"))
        end = at
    return begin


def set_aside_behind(segments: Sequence[Segment], next_offset: int) -> None:
    """Take segments that lie behind a corruption out of the log, without losing them, unless they go on
    where the good ones end. Raises OSError.
    """
    if segments and segments[0].base_offset != next_offset:
        # The last one first: what is left goes on without a gap, whenever the process dies.
        for segment in reversed(segments):
            _set_aside(segment)
        # Back under their names, behind what is written from here on, they would have offsets twice.
        segments[0].platform.sync_directory(segments[0].directory)


def _set_aside(segment: Segment) -> None:
    aside = segment.path.with_name(f"{segment.path.name}.corrupt-0")
    _log.warning("%s lies behind a corruption; it is kept as %s", segment.path, aside.name)
    segment.path.rename(aside)
    segment.unlink()
