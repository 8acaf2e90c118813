"""Search by time, exact to the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kstream.records.batch import read_header
from kstream.records.record import iter_records

if TYPE_CHECKING:
    from kstream.log.partition import PartitionLog
    from kstream.log.segment import Segment


class OffsetAndTimestamp(NamedTuple):
    """A record's place and its time."""

    offset: int
    timestamp_ms: int


def offset_for_timestamp(log: PartitionLog, timestamp_ms: int) -> OffsetAndTimestamp | None:
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
    position = segment.locate(max(from_offset, segment.offset_before_time(timestamp_ms)))
    end = segment.size_bytes
    mapping = segment.file.mapping(end)[:end]
    while position < end:
        header = read_header(mapping, position)
        if header.max_timestamp_ms >= timestamp_ms and header.last_offset >= from_offset:
            for record in iter_records(mapping, position, header=header):
                if record.timestamp_ms >= timestamp_ms and record.offset >= from_offset:
                    return OffsetAndTimestamp(record.offset, record.timestamp_ms)
        position += header.size_bytes
    return None


def max_timestamp(log: PartitionLog) -> OffsetAndTimestamp | None:
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
    position = newest.locate(from_offset)
    end = newest.size_bytes
    mapping = newest.file.mapping(end)[:end]
    while position < end:
        header = read_header(mapping, position)
        if header.max_timestamp_ms == timestamp_ms:
            for record in iter_records(mapping, position, header=header):
                if record.timestamp_ms == timestamp_ms:
                    return OffsetAndTimestamp(record.offset, timestamp_ms)
        position += header.size_bytes
    return None
