"""One share partition at work: its window, the log it reads, and the stored state that every change goes
into.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import trio

from kstream.broker.partition import Partition
from kstream.broker.share_counts import ShareCounts
from kstream.broker.share_states import ShareStates
from kstream.broker.share_storing import ShareStoring
from kstream.broker.waiters import AppendWaiter
from kstream.clock import Clock
from kstream.errors import ApiError, ErrorCode
from kstream.shares.acquiring import LogBatch, Wish, acquire
from kstream.shares.changes import Change, DeadLetters
from kstream.shares.limits import Acknowledgement, Acquired, ShareLimits
from kstream.shares.locks import Lock
from kstream.shares.settling import acknowledge, archive_dead, expire, release, settle
from kstream.shares.state_store import ShareKey
from kstream.shares.states import RecordState
from kstream.shares.window import ShareWindow

if TYPE_CHECKING:
    from kstream.broker.share_queue import PartitionQueue
    from kstream.shares.queue.rules import QueueRules

log = logging.getLogger(__name__)

GONE = frozenset({ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION})
"""After these the window is not the group's any more: it must be loaded anew."""

_READ_BYTES = 1024 * 1024
_QUEUE_REACH = 16
"""Of so many records in a row one at least is mostly ready."""


class SharePartition:
    """A loaded window. `limits` tells the group's configuration as it is now, `has_others` whether the group
    has more than one member here; `on_changed` is told when a lock may expire earlier than before, `on_dead`
    of records that are to become dead letters, `on_gone` once it must be loaded anew.
    """

    def __init__(
        self,
        key: ShareKey,
        partition: Partition,
        window: ShareWindow,
        *,
        state_epoch: int,
        states: ShareStates,
        limits: Callable[[], ShareLimits],
        rules: Callable[[], QueueRules | None],
        has_others: Callable[[], bool],
        clock: Clock,
        counts: ShareCounts,
        on_changed: Callable[[SharePartition], None],
        on_dead: Callable[[SharePartition, Sequence[DeadLetters]], None],
        on_gone: Callable[[SharePartition], None],
    ) -> None:
        self.key = key
        self.partition = partition
        self.leader_epoch = partition.leader_epoch
        self.window = window
        self.waiters: set[AppendWaiter] = set()
        """Fetches that wait for records to become available again, besides those of the log."""
        self.read_bytes = _READ_BYTES
        """What a fetch is to read at first, from what the last one needed."""
        self._is_being_read = False
        self._was_missed = False
        self.is_gone = False
        self.letters_due = 0
        """How many runs of records are to become dead letters yet."""
        self._storing = ShareStoring(
            key,
            window,
            leader_epoch=self.leader_epoch,
            state_epoch=state_epoch,
            states=states,
            gathers=has_others,
            settle=self._settle,
        )
        self._limits = limits
        self._rules = rules
        self._clock = clock
        self._counts = counts
        self._queue: PartitionQueue | None = None
        self._on_changed = on_changed
        self._on_dead = on_dead
        self._on_gone = on_gone

    @property
    def queue(self) -> PartitionQueue | None:
        """What decides on the order of delivery, where the group asks for more than Kafka's."""
        rules = self._rules()
        if rules is None:
            self._queue = None
        elif self._queue is None or self._queue.rules is not rules:
            from kstream.broker.share_queue import PartitionQueue  # most groups need none

            released = self._storing.release_times()
            self._queue = PartitionQueue(
                self.partition,
                self.window,
                rules,
                self._clock,
                group_id=self.key.group_id,
                released=released,
            )
        return self._queue

    @property
    def is_at_work(self) -> bool:
        """Whether something is to be done that nobody would do before a member loads it again."""
        return bool(self._storing.is_at_work or self.letters_due)

    def is_ready(self) -> bool:
        """Whether a fetch would read now."""
        return not self._is_being_read and self.has_room()

    def begin_reading(self) -> bool:
        """Whether a fetch should read now; then it is to call `end_reading`. Two at once would read the
        same.
        """
        if self._is_being_read:
            self._was_missed = True
            return False
        self._is_being_read = self.has_room()
        return self._is_being_read

    def end_reading(self) -> None:
        """What was read is acquired, or was not wanted."""
        self._is_being_read = False
        if self._was_missed:
            self._was_missed = False
            self.wake()

    def has_room(self) -> bool:
        """Whether a fetch can get anything, if the log has it."""
        queue = self.queue
        if queue is not None:
            return queue.has_room(self._limits())
        return self.window.can_acquire(self._limits(), _now_ms())

    async def find_next(self, member_id: str, *, is_read_committed: bool) -> int | None:
        """Where to read for a member; None if there is nothing for it.

        Raises:
            ApiError, LogStorageError: a queue could not look ahead.
        """
        queue = self.queue
        if queue is None:
            return self.window.next_fetch_offset(_now_ms())
        # First, since it forgets what is ready no more, and the queue may want to know others instead.
        offset, is_news = queue.next_offset(member_id), True
        while is_news:
            is_news = await queue.look_ahead(is_read_committed=is_read_committed)
            expired = queue.expire(self._limits())
            await self.store_now(expired)
            offset = queue.next_offset(member_id)
            is_news = offset is None and (is_news or bool(expired.state_batches))
        self._on_changed(self)
        return offset

    def reach(self, fetch_offset: int, records_max: int) -> int:
        """How far what is read can be of use to a member that may have so many records: what follows is for
        the next fetch. A queue takes records here and there, and has looked at many more than it hands out.
        """
        if self._queue is not None:
            return fetch_offset + _QUEUE_REACH * records_max
        return max(fetch_offset, self.window.next_offset) + records_max

    def acquire(self, wish: Wish, fetch_offset: int, log_batches: Sequence[LogBatch]) -> list[Acquired]:
        """Acquire what was read."""
        limits, queue = self._limits(), self.queue
        if queue is not None:
            lock = Lock(_now_ms() + limits.lock_duration_ms)
            acquired = queue.take(wish.member_id, wish.records_max, log_batches[-1][1], limits, lock)
        else:
            acquired = acquire(self.window, wish, fetch_offset, log_batches, limits, _now_ms())
        if acquired:
            self._counts.on_acquired(acquired)
            self._on_changed(self)
        return acquired

    def state_of(self, offset: int) -> tuple[str, int]:
        """The state of a record, by its name, and how often it was delivered."""
        batch = self.window.batch_with(offset)
        run = next(batch.overlapping(offset, offset), None) if batch is not None else None
        if run is None:
            is_done = offset < self.window.start_offset
            return (RecordState.ARCHIVED if is_done else RecordState.AVAILABLE).name, 0
        return run.state.name, run.delivery_count

    def first_open(self, offset: int) -> int:
        """The first offset from here on whose record is not done with."""
        window = self.window
        offset = max(offset, window.start_offset)
        for batch in window.batches_between(offset, window.end_offset):
            for run in batch.overlapping(offset, batch.last):
                if run.first > offset or not run.state.is_terminal:
                    return offset
                offset = run.last + 1
        return offset

    @property
    def scheduled(self) -> int:
        """How many records wait for their time, roughly."""
        return self._queue.queue.waiting_count if self._queue is not None else 0

    async def acknowledge(self, member_id: str, acknowledgements: Sequence[Acknowledgement]) -> None:
        """Take over what a member says of its records, and return once that is stored.

        Raises:
            ApiError: INVALID_RECORD_STATE, INVALID_REQUEST; or it could not be stored:
            NOT_LEADER_OR_FOLLOWER, COORDINATOR_NOT_AVAILABLE, UNKNOWN_TOPIC_OR_PARTITION,
            UNKNOWN_SERVER_ERROR.
        """
        change = acknowledge(self.window, member_id, acknowledgements, self._limits(), _now_ms())
        if change.has_renewed:
            self._on_changed(self)
        await self._store(change)

    async def release(self, member_id: str) -> None:
        """A member is gone: release what it has. Raises ApiError if that could not be stored."""
        await self._store(release(self.window, member_id, self._limits()))
        if self._queue is not None:
            self._queue.queue.release_owner(member_id)
            self.wake()

    @property
    def wakes_at_ms(self) -> float | None:
        """When a lock expires, or the time of a record in a queue has come; on trio's clock."""
        times = [self.window.locks.wakes_at_ms]
        if self._queue is not None and (wakes_in_ms := self._queue.wakes_in_ms) is not None:
            times.append(_now_ms() + wakes_in_ms)
        return min((each for each in times if each is not None), default=None)

    def expire(self) -> list[Change]:
        """Take records back from those whose locks have expired, and give up what is of no use any more;
        `store_now` is to follow for each.
        """
        changes = [expire(self.window, self._limits(), _now_ms())]
        if self._queue is not None:
            changes.append(self._queue.expire(self._limits()))
            self.wake()  # one whose time has come may be ready
        elif changes[0].state_batches:
            self.wake()
        return changes

    async def store_now(self, change: Change) -> None:
        """Store a change that counts already. What cannot be stored a restart finds out again."""
        try:
            await self._store(change)
        except ApiError as error:
            log.warning("%s: a change is not stored: %s", self, error)

    async def archive_dead(self, dead: DeadLetters) -> None:
        """Records are dead letters now, or could not be."""
        self._counts.given_up -= dead.last_offset - dead.first_offset + 1  # it is counted as a dead letter
        await self.store_now(archive_dead(self.window, dead))

    async def store_start(self) -> None:
        """Write down where the window starts, before anybody gets a record: found anew, it might start later.

        Raises:
            ApiError: it could not be stored.
        """
        await self._storing.write(())

    def wake(self) -> None:
        """Records may be available: whoever waits looks again."""
        for waiter in self.waiters:
            waiter.on_changed()

    def leave(self) -> None:
        """It is dropped: whoever holds it must get another."""
        self.is_gone = True
        self.wake()

    async def _store(self, change: Change) -> None:
        if not change.state_batches:
            return
        try:
            await self._storing.store(change)
        except ApiError as error:
            if error.code in GONE:
                self._on_gone(self)
            raise

    def _settle(self, change: Change, is_stored: bool) -> None:
        now_ms = 0.0 if is_stored else _now_ms()  # Only what was not stored asks for the time.
        settled = settle(self.window, change, is_stored=is_stored, limits=self._limits(), now_ms=now_ms)
        if settled.dead_letters:
            self._on_dead(self, settled.dead_letters)
        if is_stored:
            self._counts.on_stored(change)
        if self._queue is not None:
            self._queue.on_change(change, is_stored=is_stored)
            self._on_changed(self)
        if settled.is_news or self._queue is not None:
            self.wake()

    def __str__(self) -> str:
        return f"{self.key.group_id}:{self.partition.topic_name}-{self.key.partition}"


def _now_ms() -> float:
    """Locks are on trio's clock, which does not jump when somebody sets the machine's."""
    return trio.current_time() * 1000
