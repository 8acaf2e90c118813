"""What is left of a log after an unclean stop: its segments from the recovery point on are checked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kstream.log.asides import set_aside_behind, set_aside_overlapping
from kstream.log.config import LogConfig
from kstream.log.errors import LogStorageError
from kstream.log.inventory import Inventory
from kstream.log.replay import Replay
from kstream.log.segment import Segment
from kstream.log.verification import verify_segment

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Recovered:
    """What checking a log's newest segments found."""

    segments: list[Segment]
    end_offset: int
    epochs: list[tuple[int, int]]
    """(leader epoch, first offset) as the checked batches have them."""
    replay: Replay
    """The producers up to `end_offset`."""


def recover(
    directory: Path,
    inventory: Inventory,
    recovery_point: int,
    config: LogConfig,
    on_checked: Callable[[int], None] | None,
) -> Recovered:
    """Check the segments that the disk may not have whole, of which there is one at least. Raises OSError."""
    segments = inventory.segments
    first = _first_to_check(segments, recovery_point)
    unknown_from = segments[first].base_offset
    if inventory.bad_txn_index_from is not None:
        unknown_from = min(unknown_from, inventory.bad_txn_index_from)
    replay = Replay(directory, segments[0].base_offset, unknown_from)
    replay.add_segments(segments, first, unknown_from=unknown_from)
    kept = segments[:first]
    epochs: list[tuple[int, int]] = []
    end_offset = _end_offset(kept[-1], unless=segments[first].base_offset) if kept else 0
    for number, segment in enumerate(segments[first:], first):
        if segment.is_abandoned:
            break
        if segment.base_offset < end_offset:
            set_aside_overlapping(segment, end_offset)
            continue
        if segment.base_offset > end_offset and kept and not config.is_compacted:
            _tell_hole(kept[-1], end_offset, segment)
        verified = verify_segment(
            segment,
            replay,
            partial(set_aside_behind, segments[number + 1 :]),
            on_checked,
            keeps_reserve=number + 1 == len(segments),
        )
        epochs += verified.epochs
        end_offset = verified.next_offset
        kept.append(segment)
    return Recovered(kept, end_offset, epochs, replay)


def _first_to_check(segments: Sequence[Segment], recovery_point: int) -> int:
    """The number of the first segment that need not be on the disk; the last one is checked always."""
    for number, following in enumerate(segments[1:]):
        if not _is_on_disk(segments[number], following.base_offset, recovery_point):
            return number
    return len(segments) - 1


def _is_on_disk(segment: Segment, next_base: int, recovery_point: int) -> bool:
    """Whether a segment in front of another need not be checked."""
    if next_base != recovery_point:
        return next_base < recovery_point
    # Its records were synced, but it may have been rolled since: where a power cut undid that, the zeros that
    # were reserved are still behind them.
    try:
        return segment.next_offset() <= next_base
    except LogStorageError:
        return False


def _end_offset(segment: Segment, *, unless: int) -> int:
    """Where a segment ends that is not checked, unless it has bytes that are no batches: found by readers."""
    try:
        return segment.next_offset()
    except LogStorageError:
        return unless


def _tell_hole(segment: Segment, end_offset: int, following: Segment) -> None:
    """Say which offsets no segment has. What lies behind them is good, and served, as Apache Kafka does."""
    _log.error(
        "%s: offsets %d to %d are missing: the disk lost them before they were synced",
        segment.directory,
        end_offset,
        following.base_offset - 1,
    )
