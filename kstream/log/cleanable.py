"""What of a compacted log is dirty, and whether it is time to clean it.

A log is clean up to the offset where the last round ended. From there to the first segment that may not be
cleaned it is dirty. That one is the active segment, the one with the last stable offset, or the first that
has records younger than `min.compaction.lag.ms`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kstream.log.partition import PartitionLog
    from kstream.log.segment import Segment


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
