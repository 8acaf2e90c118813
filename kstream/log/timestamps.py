"""Search by time, exact to the record. For threads: cold data is read, not faulted in."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kstream.log.batch_reading import iter_batches
from kstream.records.record import iter_records

if TYPE_CHECKING:
    from kstream.log.log_state import LogState
    from kstream.log.segment import Segment


class OffsetAndTimestamp(NamedTuple):
    """A record's place and its time."""

    offset: int
    timestamp_ms: int


def offset_for_timestamp(log: LogState, timestamp_ms: int) -> OffsetAndTimestamp | None:
    """The first record, from the log's start, whose timestamp is at least `timestamp_ms`.

    Decompresses at most the batches that can hold it. Raises CorruptBatch, LogStorageError.
    """
    for segment in log.segments:
        if segment.size_bytes and segment.largest_timestamp_ms >= timestamp_ms:
            found = _search_segment(segment, timestamp_ms, log.log_start_offset)
            if found is not None:
                return found
    return None


def _search_segment(segment: Segment, timestamp_ms: int, from_offset: int) -> OffsetAndTimestamp | None:
    begin = max(from_offset, segment.offset_before_time(timestamp_ms))
    for header, buffer, position in iter_batches(segment, begin):
        if header.max_timestamp_ms >= timestamp_ms and header.last_offset >= from_offset:
            for record in iter_records(buffer, position, header=header):
                if record.timestamp_ms >= timestamp_ms and record.offset >= from_offset:
                    return OffsetAndTimestamp(record.offset, record.timestamp_ms)
    return None


def max_timestamp(log: LogState) -> OffsetAndTimestamp | None:
    """The first record that has the log's largest timestamp. Raises CorruptBatch, LogStorageError."""
    newest: Segment | None = None
    for segment in log.segments:
        if segment.size_bytes and segment.largest_timestamp_ms > (
            -1 if newest is None else newest.largest_timestamp_ms
        ):
            newest = segment
    if newest is None:
        return None
    # In this order: an append meanwhile may move both on, and the search must not begin behind its goal.
    from_offset = newest.max_timestamp_offset
    timestamp_ms = newest.largest_timestamp_ms
    for header, buffer, position in iter_batches(newest, from_offset):
        if header.max_timestamp_ms == timestamp_ms:
            for record in iter_records(buffer, position, header=header):
                if record.timestamp_ms == timestamp_ms:
                    return OffsetAndTimestamp(record.offset, timestamp_ms)
    return None
