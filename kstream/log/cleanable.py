"""What of a compacted log is dirty, and whether it is time to clean it.

A log is clean up to the offset where the last round ended. From there to the first segment that may not be
cleaned it is dirty. That one is the active segment, the one with the last stable offset, or the first that
has records younger than `min.compaction.lag.ms`.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kstream.log.indexes import last_timestamp_ms
from kstream.log.inventory import segment_sizes
from kstream.log.segment_files import segment_path
from kstream.records.batch import HEADER_SIZE, read_header
from kstream.records.errors import CorruptBatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kstream.log.config import LogConfig
    from kstream.log.partition import PartitionLog
    from kstream.log.segment import Segment


SegmentSizes = tuple[tuple[int, int], ...]
"""Base offset and bytes of each segment, ascending; empty where there is nothing but an active one."""


class Cleanable(NamedTuple):
    """A log's dirty part: offsets, and bytes before and in it."""

    first_dirty_offset: int
    end_offset: int
    """Base offset of the first segment that must stay as it is."""
    clean_bytes: int
    dirty_bytes: int
    is_overdue: bool
    """Whether a dirty record is older than `max.compaction.lag.ms`."""

    @property
    def dirty_ratio(self) -> float:
        total_bytes = self.clean_bytes + self.dirty_bytes
        return self.dirty_bytes / total_bytes if total_bytes else 0.0


def cleanable(log: PartitionLog, cleaned_offset: int | None, now_ms: int) -> Cleanable:
    """What could be cleaned now. `cleaned_offset` is where the last round ended, None if there was none."""
    start = log.log_start_offset
    first_dirty = start if cleaned_offset is None else cleaned_offset
    if not start <= first_dirty <= log.end_offset:
        # Records were deleted, or the log was truncated or begun anew since.
        first_dirty = start
    dirty = _rolled_from(log.segments[:], first_dirty)
    limit = min(log.last_stable_offset, log.segments.active.base_offset)
    lag_ms = log.config.min_compaction_lag_ms
    if lag_ms > 0:
        for segment in dirty:
            if segment.largest_timestamp_ms > now_ms - lag_ms:
                limit = min(limit, segment.base_offset)
                break
    end_offset = log.segments.active.base_offset
    for segment in _rolled_from(log.segments[:], max(first_dirty, limit))[:1]:
        end_offset = segment.base_offset
    clean_bytes = dirty_bytes = 0
    for segment in log.segments:
        if segment.base_offset < first_dirty:
            clean_bytes += segment.size_bytes
    for segment in dirty:
        if segment.base_offset < end_offset:
            dirty_bytes += segment.size_bytes
    return Cleanable(first_dirty, end_offset, clean_bytes, dirty_bytes, _is_overdue(log, dirty, now_ms))


def should_clean(log: PartitionLog, found: Cleanable) -> bool:
    """Whether it is worth it: `min.cleanable.dirty.ratio`, or a record that waited too long."""
    if not found.dirty_bytes:
        return False
    return found.is_overdue or found.dirty_ratio > log.config.min_cleanable_dirty_ratio


def _rolled_from(segments: Sequence[Segment], offset: int) -> list[Segment]:
    """The segments in front of the active one, from the one that has `offset` in its range."""
    rolled = segments[:-1]
    if offset >= segments[-1].base_offset:
        return []
    number = sum(segment.base_offset <= offset for segment in rolled)
    return list(rolled[max(number - 1, 0) :])


def _is_overdue(log: PartitionLog, dirty: Sequence[Segment], now_ms: int) -> bool:
    lag_ms = log.config.max_compaction_lag_ms
    if lag_ms >= now_ms:
        return False
    times = [segment.roll_timestamp_ms for segment in dirty if segment.size_bytes]
    earliest_ms = min((time_ms for time_ms in times if time_ms > 0), default=now_ms)
    return earliest_ms < now_ms - lag_ms


def sizes_in(directory: Path) -> SegmentSizes:
    """The segments of a partition that is not open. Raises OSError."""
    sizes = segment_sizes(directory)
    return sizes if len(sizes) > 1 else ()


def dirty_ratio_at_most(
    directory: Path,
    sizes: SegmentSizes,
    config: LogConfig,
    *,
    cleaned_offset: int | None,
    log_start_offset: int,
    now_ms: int,
) -> float:
    """The largest dirty ratio that a partition which is not open can have; 0.0 where cleaning it is not due.

    It is less where a transaction is still open, which only opening it tells. Raises OSError.
    """
    if not sizes:
        return 0.0
    start = max(log_start_offset, sizes[0][0])
    active = sizes[-1][0]
    first_dirty = (
        cleaned_offset if cleaned_offset is not None and start <= cleaned_offset <= active else start
    )
    clean_bytes = sum(size for base_offset, size in sizes if base_offset < first_dirty)
    dirty_bytes = 0
    is_overdue = False
    for (base_offset, size), (next_base, _) in pairwise(sizes):
        if next_base <= first_dirty:
            continue
        path = segment_path(directory, base_offset, ".timeindex")
        if (
            config.min_compaction_lag_ms > 0
            and last_timestamp_ms(path) > now_ms - config.min_compaction_lag_ms
        ):
            break
        dirty_bytes += size
        if not is_overdue and config.max_compaction_lag_ms < now_ms:
            first_ms = _first_timestamp_ms(segment_path(directory, base_offset, ".log"))
            is_overdue = 0 < first_ms < now_ms - config.max_compaction_lag_ms
    if not dirty_bytes:
        return 0.0
    ratio = dirty_bytes / (clean_bytes + dirty_bytes)
    return ratio if is_overdue or ratio > config.min_cleanable_dirty_ratio else 0.0


def _first_timestamp_ms(path: Path) -> int:
    with path.open("rb") as file:
        content = file.read(HEADER_SIZE)
    try:
        return read_header(content).max_timestamp_ms
    except CorruptBatch:
        return -1
