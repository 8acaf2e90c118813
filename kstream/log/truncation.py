"""Cutting a log's end below what was published: only a follower does that, whose leader has other batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kstream.log.replay import load_producers
from kstream.log.segment import Segment

if TYPE_CHECKING:
    from kstream.log.partition import PartitionLog


def start_anew(log: PartitionLog, offset: int, now_ms: int) -> None:
    """Drop every batch: what comes next has `offset`. For a log of which somebody has all that was before.

    Raises OSError, after which the log must not be used.
    """
    for segment in log.segments:
        segment.unlink()
    log.segments.replace([Segment.create(log.directory, offset, log.platform, now_ms)])
    log.directory_changed = True
    log.end_offset = log.log_start_offset = offset
    log.recovery_point = min(log.recovery_point, offset)
    log.rolled_point = min(log.rolled_point, offset)
    log.leader_epochs.raise_start(offset)
    log.producers.entries.clear()


def truncate_to(log: PartitionLog, offset: int, now_ms: int) -> None:
    """Drop every batch that ends at or behind `offset`, from indexes, epochs and producers too.

    Raises OSError, after which the log must not be used.
    """
    if offset >= log.end_offset:
        return
    kept = [segment for segment in log.segments if segment.base_offset < offset]
    for segment in log.segments[len(kept) :]:
        segment.unlink()
    if kept:
        active = kept[-1]
        active.truncate(active.locate(offset))
    else:
        kept = [Segment.create(log.directory, offset, log.platform, now_ms)]
    # Not `offset` itself: that may lie inside a batch that went, or in a hole that compaction left, and a
    # restart would find this end too.
    end_offset = kept[-1].next_offset()
    log.directory_changed = True
    log.segments.replace(kept)
    log.end_offset = end_offset
    log.log_start_offset = min(log.log_start_offset, end_offset)
    log.recovery_point = min(log.recovery_point, end_offset)
    log.rolled_point = min(log.rolled_point, end_offset)
    log.leader_epochs.truncate_to(end_offset)
    loaded = load_producers(log.directory, kept, end_offset, log.config, now_ms)
    log.producers = loaded.state
    log.snapshot_offset = loaded.begin
