"""A segment's batches, read with plain reads: for threads, which must not fault on a mapping's cold pages
while they hold the interpreter.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from kstream.log.platform import COLD_PIECE_BYTES
from kstream.log.scanning import warm_scan
from kstream.log.segment import Segment
from kstream.records.batch import HEADER_SIZE, BatchHeader, read_header
from kstream.records.errors import CorruptBatch


def iter_batches(
    segment: Segment, offset: int, piece_bytes: int = COLD_PIECE_BYTES
) -> Iterator[tuple[BatchHeader, bytes, int]]:
    """Header, buffer and position in it of each batch that ends at or behind `offset`, read by so many bytes.

    Raises CorruptBatch where the bytes are no batches, OSError.
    """
    file = segment.file  # held until the last batch was taken
    begin = 0
    if offset > segment.base_offset:
        warm_scan(segment, offset)
        begin = segment.locate(offset)
    yield from iter_batches_from(file.fd, begin, segment.size_bytes, piece_bytes)


def iter_batches_from(
    fd: int, begin: int, end: int, piece_bytes: int
) -> Iterator[tuple[BatchHeader, bytes, int]]:
    """The same for the bytes `begin` to `end` of an open `.log` file; a batch begins at `begin`."""
    at = begin
    while at < end:
        buffer = os.pread(fd, min(piece_bytes, end - at), at)
        position = 0
        while len(buffer) - position >= HEADER_SIZE:
            header = read_header(buffer, position)
            size_bytes = header.size_bytes
            if size_bytes > len(buffer) - position:
                break
            yield header, buffer, position
            position += size_bytes
        if not position:
            buffer = _read_large(fd, at, end)
            yield read_header(buffer), buffer, 0
            position = len(buffer)
        at += position


def _read_large(fd: int, at: int, end: int) -> bytes:
    """A batch that is larger than a piece. Raises CorruptBatch."""
    size_bytes = read_header(os.pread(fd, HEADER_SIZE, at)).size_bytes
    buffer = os.pread(fd, size_bytes, at) if size_bytes <= end - at else b""
    if len(buffer) != size_bytes:
        raise CorruptBatch(f"record batch of {size_bytes} bytes where {end - at} remain")
    return buffer
