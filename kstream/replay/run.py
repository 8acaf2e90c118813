"""From a source to a target: the loop itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kstream.replay.change import Change
from kstream.replay.ends import Source, Target
from kstream.replay.errors import ReplayError
from kstream.replay.event import Event
from kstream.replay.pace import Pace
from kstream.replay.progress_file import Progress, ProgressFile
from kstream.replay.where import Condition

_MARK_EVERY = 10_000
_MARK_EVERY_S = 1.0


class Counts(NamedTuple):
    """What became of the records so far."""

    read: int
    written: int
    last_timestamp_ms: int | None
    """The event time that has been reached."""


def replay(
    source: Source,
    target: Target | None,
    *,
    pace: Pace,
    where: Condition | None = None,
    change: Change | None = None,
    limit: int | None = None,
    progress_file: ProgressFile | None = None,
    before_each: Callable[[Event], None] | None = None,
    after_each: Callable[[Counts], None] | None = None,
) -> Counts:
    """Carry records over until the source ends or `limit` of them were written.

    Without a target nothing is written: a dry run. `before_each` may wait, for somebody who steps through;
    what it waits is nobody's delay. A target is flushed at the end, and whenever progress is noted.

    Raises:
        ReplayError: source or target failed; what was flushed stays, and progress says how far that is.
    """
    done = progress_file.load() if progress_file is not None else Progress({})
    if target is not None:
        target.prepare(source.partition_count if change is None or not _spreads(change) else lambda: None)
    next_offsets = dict(done.next_offsets)
    read = written = 0
    last_timestamp_ms: int | None = None
    marked_s = pace.now_s()
    for event in source.events(done.next_offsets) if limit != 0 else ():
        read += 1
        if where is None or where(event):
            if before_each is not None:
                began_s = pace.now_s()
                before_each(event)
                pace.shift(pace.now_s() - began_s)
            pace.wait_for(event)
            if target is not None:
                target.write(event if change is None else change.apply(event))
            written += 1
        last_timestamp_ms = event.timestamp_ms
        if progress_file is not None:
            _note(next_offsets, event)
            if read % _MARK_EVERY == 0 or pace.now_s() - marked_s > _MARK_EVERY_S:
                _mark(progress_file, target, next_offsets)
                marked_s = pace.now_s()
        if after_each is not None:
            after_each(Counts(read, written, last_timestamp_ms))
        if written == limit:
            break
    if target is not None:
        target.flush()
    if progress_file is not None:
        _mark(progress_file, target, next_offsets)
    return Counts(read, written, last_timestamp_ms)


def _spreads(change: Change) -> bool:
    """Whether the source's partitions say nothing about the target's."""
    return change.is_partitioned_anew or change.partition is not None


def _note(next_offsets: dict[int, int], event: Event) -> None:
    if event.partition is None or event.offset is None:
        raise ReplayError("these records have no partition and offset, so there is nothing to resume by")
    next_offsets[event.partition] = event.offset + 1


def _mark(progress_file: ProgressFile, target: Target | None, next_offsets: dict[int, int]) -> None:
    if target is not None:
        target.flush()
        progress_file.save(Progress(dict(next_offsets), target.size_bytes()))
