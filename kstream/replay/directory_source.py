"""Reading a topic in a data directory, kstream's or Apache Kafka's, without changing anything in it.

Segments are read from their files alone: indexes are not needed, and nothing is locked, recovered or cut
off. A batch that is torn at the very end, as a crash leaves it, ends its partition; one in the middle is an
error.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from kstream.log.checkpoints import CorruptCheckpoint, read_offsets
from kstream.log.directory import LOG_START_OFFSETS
from kstream.records.batch import HEADER_SIZE, BatchHeader, check_crc, read_header
from kstream.records.control import ControlType, control_type
from kstream.records.errors import CorruptBatch
from kstream.records.record import iter_records
from kstream.replay.errors import ReplayError
from kstream.replay.event import Event
from kstream.replay.merging import by_time
from kstream.replay.moments import Kind, Moment, Range
from kstream.replay.spans import Span, offset_of

_SEGMENT = re.compile(r"([0-9]{20})\.log")

AbortedRanges = dict[int, list[tuple[int, int]]]
"""By producer id: first offset and marker's offset of each transaction that was aborted."""


class Partition(NamedTuple):
    """What a first walk over a partition's headers found."""

    segments: list[Path]
    span: Span
    aborted: AbortedRanges


class DirectorySource:
    """A range of a topic in a data directory. Raises `ReplayError`."""

    def __init__(self, directory: Path, topic: str, span: Range, *, is_committed_only: bool = True) -> None:
        self._topic = topic
        paths = sorted(path for path in directory.glob(f"{topic}-*") if _index(path, topic) is not None)
        if not paths:
            raise ReplayError(f"{directory} has no records of {topic}: is it a data directory?")
        starts = _log_starts(directory)
        self._partitions: dict[int, Partition] = {}
        for path in paths:
            index = int(path.name[len(topic) + 1 :])
            self._partitions[index] = _walk(path, starts.get((topic, index), 0), span, is_committed_only)
        self._next = {index: each.span.start for index, each in self._partitions.items()}

    @property
    def total(self) -> int | None:
        return sum(max(0, each.span.end - each.span.start) for each in self._partitions.values())

    @property
    def done(self) -> int:
        return sum(self._next[index] - each.span.start for index, each in self._partitions.items())

    def partition_count(self) -> int | None:
        return max(self._partitions) + 1

    def events(self, resume: Mapping[int, int]) -> Iterator[Event]:
        for index, offset in resume.items():
            if index in self._next:
                self._next[index] = max(self._next[index], offset)
        return by_time([self._partition_events(index) for index in sorted(self._partitions)])

    def close(self) -> None:
        """Nothing stays open between two events' batches."""

    def _partition_events(self, index: int) -> Iterator[Event]:
        partition = self._partitions[index]
        start, end = self._next[index], partition.span.end
        for buffer, position, header in iter_batches(_from_offset(partition.segments, start)):
            if header.base_offset >= end:
                break
            if header.is_control or header.last_offset < start or _is_aborted(partition.aborted, header):
                continue
            try:
                check_crc(buffer, position, header.size_bytes)
                for record in iter_records(buffer, position, header=header):
                    if start <= record.offset < end:
                        self._next[index] = record.offset + 1
                        yield Event(index, *record, is_append_time=header.is_log_append_time)
            except CorruptBatch as error:
                raise ReplayError(f"{self._topic}-{index}, offset {header.base_offset}: {error}") from None
        self._next[index] = end


def iter_batches(segments: list[Path]) -> Iterator[tuple[memoryview, int, BatchHeader]]:
    """Every batch of a partition's segments: the file's content, where the batch begins, its header.

    Raises `ReplayError` for what is no batch, unless it stands at the very end.
    """
    for path in segments:
        if not path.stat().st_size:
            continue
        with open(path, "rb") as file:
            # Unmapped when the last view of it is gone.
            buffer = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        position = 0
        while position + HEADER_SIZE <= len(buffer):
            try:
                header = read_header(buffer, position)
                if position + header.size_bytes > len(buffer):
                    raise CorruptBatch("a batch is not whole")
            except CorruptBatch as error:
                if path is segments[-1] or not any(buffer[position : position + HEADER_SIZE]):
                    break
                raise ReplayError(f"{path}, byte {position}: {error}") from None
            yield buffer, position, header
            position += header.size_bytes


def segment_paths(partition: Path) -> list[Path]:
    """A partition's segments in order."""
    return sorted(path for path in partition.iterdir() if _SEGMENT.fullmatch(path.name))


def _walk(path: Path, log_start: int, span: Range, is_committed_only: bool) -> Partition:
    """Find a partition's edges, its range, and which transactions were aborted."""
    segments = segment_paths(path)
    if not segments:
        raise ReplayError(f"{path} has no segment")
    first = max(log_start, int(segments[0].stem))
    next_offset = first
    times = {moment: -1 for moment in span if moment.kind is Kind.TIME}
    open_from: dict[int, int] = {}
    aborted: AbortedRanges = {}
    for buffer, position, header in iter_batches(segments):
        next_offset = header.next_offset
        for moment, offset in times.items():
            if offset < 0 and header.max_timestamp_ms >= moment.number:
                times[moment] = _first_at(buffer, position, header, moment.number, first)
        if header.is_control:
            _end_transaction(buffer, position, header, open_from, aborted)
        elif header.is_transactional:
            open_from.setdefault(header.producer_id, header.base_offset)
    end = min([next_offset, *open_from.values()]) if is_committed_only else next_offset
    edge = Span(first, max(first, end))
    start, stop = (_offset(moment, edge, times) for moment in span)
    return Partition(
        segments, Span(max(edge.start, start), min(edge.end, stop)), aborted if is_committed_only else {}
    )


def _offset(moment: Moment, edge: Span, times: Mapping[Moment, int]) -> int:
    if moment.kind is Kind.TIME:
        return times[moment] if times[moment] >= 0 else edge.end
    return offset_of(moment, edge)


def _first_at(buffer: memoryview, position: int, header: BatchHeader, timestamp_ms: int, first: int) -> int:
    if header.is_control:
        return -1
    for record in iter_records(buffer, position, header=header):
        if record.timestamp_ms >= timestamp_ms and record.offset >= first:
            return record.offset
    return -1


def _end_transaction(
    buffer: memoryview, position: int, header: BatchHeader, open_from: dict[int, int], aborted: AbortedRanges
) -> None:
    for record in iter_records(buffer, position, header=header):
        first = open_from.pop(header.producer_id, None)
        if first is not None and control_type(record.key) is ControlType.ABORT:
            aborted.setdefault(header.producer_id, []).append((first, record.offset))


def _is_aborted(aborted: AbortedRanges, header: BatchHeader) -> bool:
    return header.is_transactional and any(
        first <= header.base_offset < marker for first, marker in aborted.get(header.producer_id, ())
    )


def _from_offset(segments: list[Path], offset: int) -> list[Path]:
    """The segments from the one that has the offset on."""
    before = sum(int(path.stem) <= offset for path in segments)
    return segments[max(0, before - 1) :]


def _index(path: Path, topic: str) -> int | None:
    number = path.name[len(topic) + 1 :]
    return int(number) if number.isdecimal() and path.is_dir() else None


def _log_starts(directory: Path) -> dict[tuple[str, int], int]:
    """Where logs begin inside a segment, after DeleteRecords."""
    try:
        return read_offsets(directory / LOG_START_OFFSETS)
    except (FileNotFoundError, CorruptCheckpoint):
        return {}
