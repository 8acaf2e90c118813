"""Records between their first delivery and their end, as batches of runs.

Records that were acquired together are one batch, and mostly stay so: a batch is one run of one state, until
somebody acknowledges, releases or loses a part of it. Then it has a run for every part. What a batch costs
follows its runs, never its records.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from operator import attrgetter
from typing import TYPE_CHECKING

from kstream.shares.states import RecordState

if TYPE_CHECKING:
    from kstream.shares.changes import Change
    from kstream.shares.locks import Lock

NOBODY = ""
"""Owner of records that nobody has acquired."""

_last = attrgetter("last")


class Run:
    """Offsets from `first` to `last`, both included, that are in every respect alike."""

    __slots__ = ("change", "delivery_count", "first", "last", "lock", "member_id", "state", "undo")

    def __init__(
        self,
        first: int,
        last: int,
        state: RecordState,
        delivery_count: int,
        member_id: str = NOBODY,
        lock: Lock | None = None,
    ) -> None:
        self.first = first
        self.last = last
        self.state = state
        self.delivery_count = delivery_count
        self.member_id = member_id
        self.lock = lock
        self.change: Change | None = None
        """What is being written down of it. Until that is done, nobody else can have or change it."""
        self.undo: tuple[RecordState, str] | None = None
        """State and owner before that, for a write that fails."""

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __repr__(self) -> str:
        owner = f" of {self.member_id}" if self.member_id else ""
        changing = " changing" if self.change is not None else ""
        return f"<{self.first}-{self.last} {self.state.name} x{self.delivery_count}{owner}{changing}>"

    @property
    def is_available(self) -> bool:
        return self.state is RecordState.AVAILABLE and self.change is None

    @property
    def is_done(self) -> bool:
        """Whether the window's start may pass it."""
        return self.state.is_terminal and self.change is None

    def leave_lock(self) -> None:
        """It is not acquired any more, or under another lock."""
        if self.lock is not None:
            self.lock.let_go(len(self))
            self.lock = None

    def cut(self, offset: int) -> Run:
        """End before `offset`; returns the rest as a run of its own."""
        rest = Run(offset, self.last, self.state, self.delivery_count, self.member_id, self.lock)
        rest.change, rest.undo = self.change, self.undo
        self.last = offset - 1
        return rest

    def is_like(self, other: Run) -> bool:
        """Whether both can be one run, if they touch."""
        return (
            self.state is other.state
            and self.delivery_count == other.delivery_count
            and self.member_id == other.member_id
            and self.lock is other.lock
            and self.change is other.change
            and self.undo == other.undo
        )


class InFlightBatch:
    """Neighbouring offsets that were acquired together."""

    __slots__ = ("is_split", "runs", "size")

    def __init__(self, run: Run) -> None:
        self.runs = [run]
        self.size = len(run)
        """How many records it began with; those at its beginning that are done are not among the runs."""
        self.is_split = False
        """Whether it was ever treated in parts. Then it is not again as a whole, even with one run."""

    @property
    def first(self) -> int:
        return self.runs[0].first

    @property
    def last(self) -> int:
        return self.runs[-1].last

    def __repr__(self) -> str:
        return f"InFlightBatch({self.runs!r})"

    @property
    def is_gap(self) -> bool:
        """Whether it stands for records that were never delivered: see `ShareWindow.load`."""
        return not self.is_split and self.runs[0].is_available and not self.runs[0].delivery_count

    def overlapping(self, first: int, last: int) -> Iterator[Run]:
        """The runs that have an offset from `first` to `last`, as they are."""
        runs = self.runs
        for index in range(bisect_left(runs, first, key=_last), len(runs)):
            if runs[index].first > last:
                return
            yield runs[index]

    def isolated(self, first: int, last: int) -> list[Run]:
        """The runs from `first` to `last`, cut so that none reaches beyond."""
        runs = self.runs
        low = bisect_left(runs, first, key=_last)
        if low < len(runs) and runs[low].first < first:
            runs.insert(low + 1, runs[low].cut(first))
            low += 1
        high = low
        while high < len(runs) and runs[high].first <= last:
            if runs[high].last > last:
                runs.insert(high + 1, runs[high].cut(last + 1))
            high += 1
        return runs[low:high]

    def join(self, first: int, last: int) -> None:
        """Make one run of neighbours that have become alike, around these offsets."""
        runs = self.runs
        low = max(0, bisect_left(runs, first, key=_last) - 1)
        high = min(len(runs), bisect_left(runs, last, key=_last) + 2)
        joined: list[Run] = []
        for run in runs[low:high]:
            if joined and joined[-1].is_like(run):
                joined[-1].last = run.last
            else:
                joined.append(run)
        runs[low:high] = joined
