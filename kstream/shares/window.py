"""A share partition: what has become of the records that a group has begun with (KIP-932).

The window goes from the start offset, below which all is done with, to the end offset, the last record
that was ever acquired. In between stand batches in flight, sorted by offset. The start moves on as soon
as the records at it are done. Acquiring is in `acquiring`, the answers to it in `settling`.

Times are milliseconds on whatever clock the owner uses. Nothing here waits: a change of states that must
be stored before it counts is a `Change`, which the owner writes and then settles.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from operator import attrgetter

from kstream.shares.changes import Cause, DeadLetters
from kstream.shares.in_flight import NOBODY, InFlightBatch, Run
from kstream.shares.limits import ShareLimits
from kstream.shares.locks import Locks
from kstream.shares.selection import EVERYTHING, Selection
from kstream.shares.state_batches import StateBatch
from kstream.shares.states import RecordState

_first = attrgetter("first")
_last = attrgetter("last")


class ShareWindow:
    """The records of one share partition that are in flight."""

    def __init__(self, start_offset: int, *, selection: Selection = EVERYTHING) -> None:
        self.start_offset = start_offset
        self.end_offset = start_offset
        """The last record in the window; while there is none, the next one to fetch."""
        self.delivery_complete_count = 0
        """How many records of the window are done with: those in front of which one is not."""
        self.batches: list[InFlightBatch] = []
        self.locks = Locks()
        self.selection = selection
        self._available_from = 0
        """No record below it is available."""

    @classmethod
    def load(
        cls,
        start_offset: int,
        stored: Sequence[StateBatch],
        limits: ShareLimits,
        *,
        selection: Selection = EVERYTHING,
    ) -> tuple[ShareWindow, list[DeadLetters]]:
        """The window that a stored state stands for, and the dead letters that were not yet written.

        Acquired is no stored state: between stored batches are records that somebody had, or nobody yet.
        They are gaps, which are acquired as if for the first time.

        Raises:
            ValueError: the state makes no sense.
        """
        window = cls(start_offset, selection=selection)
        dead_letters = []
        at = start_offset
        for stored_batch in stored:
            if stored_batch.first_offset < at or stored_batch.last_offset < stored_batch.first_offset:
                raise ValueError(f"{stored_batch} does not follow {at - 1}")
            window.put_gap(at, stored_batch.first_offset - 1)
            state = RecordState(stored_batch.delivery_state)
            first, last, count = (
                stored_batch.first_offset,
                stored_batch.last_offset,
                stored_batch.delivery_count,
            )
            if state is RecordState.ACQUIRED:
                state = RecordState.AVAILABLE
            if state is RecordState.ARCHIVING:
                cause = Cause.REJECTED if count else Cause.EXPIRED
                if count >= limits.delivery_count_max:
                    cause = Cause.DELIVERED_TOO_OFTEN
                dead_letters.append(DeadLetters(first, last, count, cause))
            window.batches.append(InFlightBatch(Run(first, last, state, count)))
            if state.is_terminal:
                window.delivery_complete_count += last - first + 1
            at = last + 1
        if window.batches:
            window.end_offset = at - 1
        window.advance()
        return window, dead_letters

    # What there is

    @property
    def records_in_window(self) -> int:
        """What the limit on record locks counts: all from the first to the last, whatever their state."""
        return self.end_offset - self.start_offset + 1 if self.batches else 0

    @property
    def next_offset(self) -> int:
        """The first offset behind the window."""
        return self.end_offset + 1 if self.batches else self.end_offset

    def can_acquire(self, limits: ShareLimits, now_ms: float) -> bool:
        """Whether a fetch can get anything, if the log has it."""
        if self.next_fetch_offset(now_ms) < self.next_offset:
            return True
        return self.records_in_window < limits.record_locks_max

    def next_fetch_offset(self, now_ms: float) -> int:
        """Where to read: at the first record that may be acquired again, or behind the window."""
        first_available: int | None = None
        known_from = max(self._available_from, self.start_offset)
        for batch in self.batches_from(known_from):
            for run in batch.overlapping(known_from, batch.last):
                if not run.is_available:
                    continue
                if first_available is None:
                    first_available = run.first
                selected = self.selection.select(run.first, run.last, run.delivery_count, now_ms)
                if selected:
                    self._available_from = first_available
                    return selected[0][0]
        self._available_from = self.next_offset if first_available is None else first_available
        return self.next_offset

    def batches_from(self, offset: int) -> Iterator[InFlightBatch]:
        """The batches that end at or behind an offset."""
        for index in range(bisect_left(self.batches, offset, key=_last), len(self.batches)):
            yield self.batches[index]

    def batches_between(self, first: int, last: int) -> list[InFlightBatch]:
        """The batches that have an offset from first to last."""
        if first > last:
            return []
        low = bisect_left(self.batches, first, key=_last)
        return self.batches[low : bisect_right(self.batches, last, lo=low, key=_first)]

    def batch_with(self, offset: int) -> InFlightBatch | None:
        """The batch that an offset belongs to."""
        found = self.batches_between(offset, offset)
        return found[0] if found else None

    # How it moves

    def put(self, batch: InFlightBatch) -> None:
        """Add a batch where there is none."""
        index = bisect_left(self.batches, batch.first, key=_first)
        self.batches.insert(index, batch)

    def put_gap(self, first: int, last: int) -> None:
        """Say that records of the window were never delivered; nothing if there are none."""
        if first <= last:
            self.put(InFlightBatch(Run(first, last, RecordState.AVAILABLE, 0)))
            self.on_available(first)

    def on_available(self, offset: int) -> None:
        """A record may be acquired again."""
        self._available_from = min(self._available_from, offset)

    def advance(self) -> bool:
        """Move the start over all that is done; returns whether it moved."""
        batches, done = self.batches, 0
        start_offset = self.start_offset
        for batch in batches:
            runs = batch.runs
            leading = 0
            while leading < len(runs) and runs[leading].is_done:
                run = runs[leading]
                self.delivery_complete_count -= max(0, run.last - max(run.first, start_offset) + 1)
                leading += 1
            if leading < len(runs):
                if leading:
                    del runs[:leading]
                break
            done += 1
        if done == len(batches):
            if not done:
                return False
            self.end_offset += 1
            self.start_offset = self.end_offset
        else:
            self.start_offset = max(start_offset, batches[done].first)
        del batches[:done]
        return self.start_offset > start_offset

    def drop_missing(self, first: int, behind: int) -> None:
        """Archive what was available from `first` up to `behind`, exclusively: the log has no such
        records any more.
        """
        is_moved = False
        for batch in self.batches_between(first, behind - 1):
            for run in list(batch.overlapping(first, behind - 1)):
                if run.is_available:
                    self.archive(batch, max(run.first, first), min(run.last, behind - 1))
                    is_moved = True
        if is_moved:
            self.advance()

    def archive(self, batch: InFlightBatch, first: int, last: int) -> None:
        """Give records of a batch up for good. It need not be stored: whoever loads the window finds out
        again.
        """
        if first > batch.first or last < batch.last:
            batch.is_split = True
        for run in batch.isolated(first, last):
            if not run.state.is_terminal:
                self.delivery_complete_count += len(run)
            run.leave_lock()
            run.state, run.member_id, run.undo = RecordState.ARCHIVED, NOBODY, None
        batch.join(first, last)

    def begin_at(self, log_start_offset: int) -> None:
        """The log has lost its beginning: what was available there is archived, who has a record of it
        keeps it in vain.
        """
        if log_start_offset <= self.start_offset:
            return
        gone = 0
        for batch in self.batches_between(self.start_offset, log_start_offset - 1):
            below = batch.isolated(batch.first, log_start_offset - 1)
            for run in below:
                if run.state.is_terminal:
                    self.delivery_complete_count -= len(run)
                run.leave_lock()
            if len(below) == len(batch.runs):
                gone += 1
            else:
                del batch.runs[: len(below)]
                batch.is_split = True
        del self.batches[:gone]
        self.start_offset = log_start_offset
        self.end_offset = max(self.end_offset, log_start_offset)
        self.advance()
