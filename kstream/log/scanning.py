"""What a read walks through before it knows its slice: the headers from an index entry to the batch.

They are few and usually in the page cache. Where they are not, walking them through the mapping would wait
for the disk and hold everybody up, so whoever must not wait asks here first, and has a thread bring them in.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from kstream.log.indexes import CorruptIndex
from kstream.records.batch import HEADER_SIZE

if TYPE_CHECKING:
    from kstream.log.partition import PartitionLog
    from kstream.log.segment import Segment


FRESH_BYTES = 16 * 1024 * 1024
"""So much behind the end was written moments ago: it is in the page cache without asking."""


def cold_scan(log: PartitionLog, offset: int) -> Callable[[], None] | None:
    """What a thread is to do before `log.read(offset)`, so that the read's search does not wait for a disk;
    None where it will not, as far as one can tell. HOT.

    Raises OSError.
    """
    if not log.log_start_offset <= offset < log.end_offset or not log.platform.has_nowait:
        return None
    segments = log.segments
    hint = segments.hinted(offset)
    segment = segments[segments.number_of(offset)] if hint is None else hint[0]
    if segment is segments.active:
        size_bytes = segment.size_bytes
        fresh_from = max(log.fresh_from, size_bytes - FRESH_BYTES)
        if not fresh_from or (hint is not None and hint[1] >= fresh_from):
            return None
    elif not (segment.is_open and segment.has_indexes):
        return partial(warm_scan, segment, offset)
    try:
        begin, end = segment.scan_bounds(offset) if hint is None else (hint[1], hint[1] + HEADER_SIZE)
    except CorruptIndex:
        return None  # the search rebuilds it
    file = segment.file
    if log.platform.is_resident(file.fd, begin, end - begin):
        return None

    def bring_in() -> None:
        file.platform.bring_in(file.fd, begin, end - begin)

    return bring_in


def warm_scan(segment: Segment, offset: int) -> None:
    """Bring in what a search for an offset in a segment walks through. For a thread; not for an active
    segment that is closed. Raises OSError.
    """
    try:
        begin, end = segment.scan_bounds(offset)
    except CorruptIndex:
        return  # the search rebuilds it
    file = segment.file
    file.platform.bring_in(file.fd, begin, end - begin)
