"""Records that are acquired get another state: acknowledged, released by a member that leaves, or by time
(KIP-932).

What a member says takes effect once it is stored: see `Change`. A lock that expires takes effect at once,
since the record may be another member's in the next moment, and a state that could not be stored is one
that a restart finds again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from kstream.errors import ApiError, ErrorCode
from kstream.shares.changes import Cause, Change, DeadLetters
from kstream.shares.in_flight import NOBODY, InFlightBatch, Run
from kstream.shares.limits import Acknowledgement, AcknowledgeType, ShareLimits
from kstream.shares.locks import Lock
from kstream.shares.state_batches import StateBatch
from kstream.shares.states import RecordState
from kstream.shares.window import ShareWindow

_TYPES = tuple(AcknowledgeType)
_TARGETS = {
    AcknowledgeType.GAP: RecordState.ARCHIVED,
    AcknowledgeType.ACCEPT: RecordState.ACKNOWLEDGED,
    AcknowledgeType.RELEASE: RecordState.AVAILABLE,
    AcknowledgeType.REJECT: RecordState.ARCHIVED,
}


class Settled(NamedTuple):
    """What follows from a change that was settled."""

    dead_letters: list[DeadLetters]
    """To be written, and then to be archived by `archive_dead`."""
    is_news: bool
    """Whether somebody who waits may find something now."""


def acknowledge(
    window: ShareWindow,
    member_id: str,
    acknowledgements: Sequence[Acknowledgement],
    limits: ShareLimits,
    now_ms: float,
) -> Change:
    """Change what a member has acquired, all of it or nothing. Locks that are renewed stay so in any case.

    Raises:
        ApiError: INVALID_RECORD_STATE where the member does not have a record; INVALID_REQUEST behind the
        window.
    """
    change = Change()
    lock = Lock(now_ms + limits.lock_duration_ms)
    try:
        for acknowledgement in acknowledgements:
            if acknowledgement.last_offset >= window.start_offset:
                for batch in _batches_of(window, acknowledgement):
                    _acknowledge_batch(window, batch, member_id, acknowledgement, limits, lock, change)
    except ApiError:
        settle(window, change, is_stored=False, limits=limits, now_ms=now_ms)
        raise
    finally:
        if lock.records:
            window.locks.add(lock)
            change.has_renewed = True
    return change


def release(window: ShareWindow, member_id: str, limits: ShareLimits) -> Change:
    """A member goes: everything it has becomes available, or is given up if that was the last delivery."""
    change = Change()
    for batch in window.batches:
        for run in batch.runs:
            if run.state is RecordState.ACQUIRED and run.member_id == member_id and run.change is None:
                _change(window, run, RecordState.AVAILABLE, limits, change, cause=None, is_held=True)
    return change


def expire(window: ShareWindow, limits: ShareLimits, now_ms: float) -> Change:
    """Take records from those who had them for too long. Takes effect at once: the change needs no
    `settle`.
    """
    change = Change()
    for lock in window.locks.pop_due(now_ms):
        for first, last in lock.ranges:
            for batch in window.batches_between(first, last):
                for run in list(batch.overlapping(first, last)):
                    if run.lock is lock and run.change is None:
                        _change(
                            window,
                            run,
                            RecordState.AVAILABLE,
                            limits,
                            change,
                            cause=None,
                            is_held=False,
                        )
                batch.join(first, last)
    return change


def give_up(
    window: ShareWindow, first: int, last: int, cause: Cause, limits: ShareLimits, change: Change
) -> None:
    """Add to a change that what is available of these records is given up. Takes effect at once."""
    target = RecordState.ARCHIVING if limits.has_dead_letters else RecordState.ARCHIVED
    for batch in window.batches_between(first, last):
        batch.is_split = True
        for run in batch.isolated(first, last):
            if run.is_available:
                _change(window, run, target, limits, change, cause=cause, is_held=False)
        batch.join(first, last)


def settle(
    window: ShareWindow, change: Change, *, is_stored: bool, limits: ShareLimits, now_ms: float
) -> Settled:
    """A change was stored, and counts; or it was not, and all is as before, but for locks that expired
    meanwhile. What took effect at once stays so: a restart would find it out again.
    """
    counts = is_stored or not change.ranges
    is_news = False
    for first, last in change.ranges:
        for batch in window.batches_between(first, last):
            for run in batch.overlapping(first, last):
                if run.change is not change:
                    continue
                if is_stored:
                    run.leave_lock()
                    run.change = run.undo = None
                else:
                    _undo(window, run, limits, now_ms)
                if run.is_available:
                    window.on_available(run.first)
                    is_news = True
            batch.join(first, last)
    is_moved = counts and window.advance()
    return Settled(change.dead_letters if counts else [], is_news or is_moved)


def archive_dead(window: ShareWindow, dead: DeadLetters) -> Change:
    """Records are dead letters now, or could not be: they are done with. Takes effect at once."""
    change = Change()
    first, last = dead.first_offset, dead.last_offset
    for batch in window.batches_between(first, last):
        for run in batch.isolated(first, last):
            if run.state is RecordState.ARCHIVING:
                run.state = RecordState.ARCHIVED
                window.delivery_complete_count += len(run)
    change.state_batches.append(StateBatch(first, last, int(RecordState.ARCHIVED), dead.delivery_count))
    return change


def _batches_of(window: ShareWindow, acknowledgement: Acknowledgement) -> list[InFlightBatch]:
    """The batches that a member speaks of. Raises ApiError if there are none, or not to the end."""
    first, last, _ = acknowledgement
    batches = window.batches_between(first, last)
    if first < window.start_offset:
        first = window.start_offset
    if not window.batches or first < window.batches[0].first:
        raise _invalid("Nothing was acquired at the first of these offsets.")
    if not batches or batches[-1].last < last:
        raise ApiError(ErrorCode.INVALID_REQUEST, "These offsets reach behind what was acquired.")
    return batches


def _acknowledge_batch(
    window: ShareWindow,
    batch: InFlightBatch,
    member_id: str,
    acknowledgement: Acknowledgement,
    limits: ShareLimits,
    lock: Lock,
    change: Change,
) -> None:
    first, last, types = acknowledgement
    if not batch.is_split:
        # The whole batch belongs to somebody: that is checked whatever part of it is meant.
        _check_acquired(batch.runs[0], member_id)
        if len(types) > 1 or batch.first < first or batch.last > last:
            batch.is_split = True
    for part_first, part_last, kind in _parts_of(
        acknowledgement, max(first, batch.first, window.start_offset)
    ):
        if part_first > batch.last:
            return
        for run in batch.isolated(part_first, part_last):
            _check_acquired(run, member_id)
            if kind is AcknowledgeType.RENEW:
                if not limits.can_renew:
                    raise _invalid("The group does not allow its locks to be renewed.")
                run.leave_lock()
                run.lock = lock
                lock.hold(run.first, run.last)
            else:
                target, cause = _TARGETS[kind], None
                if kind is AcknowledgeType.REJECT and limits.has_dead_letters:
                    target, cause = RecordState.ARCHIVING, Cause.REJECTED
                _change(window, run, target, limits, change, cause=cause, is_held=True)


def _parts_of(acknowledgement: Acknowledgement, begin: int) -> Iterable[tuple[int, int, AcknowledgeType]]:
    """Ranges of one type, from `begin` on."""
    first, last, types = acknowledgement
    if len(types) == 1:
        return ((begin, last, _TYPES[types[0]]),)
    parts = []
    for kind, group in groupby(range(begin, last + 1), key=lambda offset: types[offset - first]):
        offsets = list(group)
        parts.append((offsets[0], offsets[-1], _TYPES[kind]))
    return parts


def _check_acquired(run: Run, member_id: str) -> None:
    if run.state is not RecordState.ACQUIRED:
        raise _invalid("The records are not acquired.")
    if run.member_id != member_id:
        raise _invalid("Another member has acquired the records.")
    assert run.change is None


def _change(
    window: ShareWindow,
    run: Run,
    target: RecordState,
    limits: ShareLimits,
    change: Change,
    *,
    cause: Cause | None,
    is_held: bool,
) -> None:
    """Give a run that is acquired another state: at once, or, if it is held, once the change is stored."""
    if target is RecordState.AVAILABLE and run.delivery_count >= limits.delivery_count_max:
        target = RecordState.ARCHIVING if limits.has_dead_letters else RecordState.ARCHIVED
        cause = Cause.DELIVERED_TOO_OFTEN
    before = run.state, run.member_id
    run.state, run.member_id = target, NOBODY
    if target.is_terminal:
        window.delivery_complete_count += len(run)
    if is_held:
        change.hold(run, *before)
    else:
        run.leave_lock()
        if run.is_available:
            window.on_available(run.first)
    change.add(run, cause)


def _undo(window: ShareWindow, run: Run, limits: ShareLimits, now_ms: float) -> None:
    assert run.undo is not None
    if run.state.is_terminal:
        window.delivery_complete_count -= len(run)
    run.state, run.member_id = run.undo
    run.change = run.undo = None
    if run.lock is not None and run.lock.deadline_ms <= now_ms:
        run.leave_lock()
        run.member_id = NOBODY
        run.state = RecordState.AVAILABLE
        if run.delivery_count >= limits.delivery_count_max:
            run.state = RecordState.ARCHIVED
            window.delivery_complete_count += len(run)


def _invalid(message: str) -> ApiError:
    return ApiError(ErrorCode.INVALID_RECORD_STATE, message)
