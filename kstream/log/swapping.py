"""Putting a compacted segment in the place of those it was made from.

| step | names | a process that dies behind it leaves |
|---|---|---|
| written and synced | `.cleaned` | nothing: they are deleted at the next opening |
| indexes, then the log, renamed | `.swap` | the new segment: opening completes the swap |
| the old ones renamed | `.deleted` | the new segment: opening deletes these |
| indexes, then the log, renamed | none | the new segment |

So the one step that counts is that `.log.cleaned` becomes `.log.swap`. Producer snapshots from before the end
of what was cleaned go too: a replay from one of them would miss the transaction markers that are gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kstream.log.retention import DELETED_SUFFIX, Removal, set_aside, snapshots_below

if TYPE_CHECKING:
    from kstream.log.partition import PartitionLog
    from kstream.log.segment import Segment

CLEANED_SUFFIX = ".cleaned"
SWAP_SUFFIX = ".swap"


def can_swap(log: PartitionLog, old: Sequence[Segment]) -> bool:
    """Whether these segments still stand in the log, one behind the other: retention may have been faster."""
    if log.is_closed or not old:
        return False
    segments = log.segments[:]
    number = log.segments.number_of(old[0].base_offset)
    return segments[number : number + len(old)] == list(old) and old[-1] is not segments[-1]


def commit(old: Sequence[Segment], cleaned: Segment) -> None:
    """The step that counts. Who reads the old segments keeps them. Raises OSError: the log is as it was."""
    for segment in old:
        segment.retire()  # a search in a thread may have one of them in its hands
    cleaned.rename(SWAP_SUFFIX)


def swap(log: PartitionLog, old: Sequence[Segment], cleaned: Segment) -> Removal:
    """Let `cleaned`, which was committed, stand for `old`.

    Raises OSError: nothing must be appended until the log is opened again.
    """
    paths = []
    for segment in old:
        paths += set_aside(segment)
    number = log.segments.number_of(old[0].base_offset)
    end_offset = log.segments[number + len(old)].base_offset
    for path in snapshots_below(log, end_offset):
        aside = path.with_name(path.name + DELETED_SUFFIX)
        path.rename(aside)
        paths.append(aside)
    cleaned.rename("")
    log.segments.replace([*log.segments[:number], cleaned, *log.segments[number + len(old) :]])
    log.directory_changed = True
    cleaned.let_go()
    return Removal(paths)
