"""A share partition as a queue: what of its window may be delivered now, in which order.

A record that the queue has looked at is, as long as it is not done, in one of four places: it waits for its
time (`Schedule`), it waits behind others of its key (`KeyOrder`), it is ready (`Ready`), or somebody has it.
An offset that is in a heap and should not be any more does no harm: before anything is done with it, the
window is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random

from kstream.records.record import Record
from kstream.shares.changes import Cause, Change
from kstream.shares.in_flight import InFlightBatch, Run
from kstream.shares.limits import Acquired, ShareLimits
from kstream.shares.locks import Lock
from kstream.shares.queue.duplicates import Duplicates
from kstream.shares.queue.entries import PRIORITY_DEFAULT, entry_of, identity_of, redriven_for
from kstream.shares.queue.key_order import KeyOrder
from kstream.shares.queue.ready import Ready, pop
from kstream.shares.queue.rules import QueueRules
from kstream.shares.queue.schedule import Schedule
from kstream.shares.release_times import ReleaseTimes
from kstream.shares.settling import give_up
from kstream.shares.states import RecordState
from kstream.shares.window import ShareWindow


class ShareQueue:
    """The records of one window, by what is special about them. `now_ms` is wall-clock time throughout, as
    are the times at which records were `released`.

    `looked_to` is the offset behind the last record that it knows; the owner reads on from there and calls
    `admit`, as long as `looks_ahead` says so.
    """

    def __init__(
        self,
        window: ShareWindow,
        rules: QueueRules,
        *,
        group_id: str = "",
        look_from: int | None = None,
        released: ReleaseTimes | None = None,
        random: Random | None = None,
    ) -> None:
        self.window = window
        self.rules = rules
        self.looked_to = window.start_offset if look_from is None else min(look_from, window.start_offset)
        self.owner_id: str | None = None
        """The member that has the whole partition, where the rules give it to one."""
        self._group_id = group_id.encode()
        self._released = released
        self._random = random or Random()
        self._waiting = Schedule()
        self._expiring = Schedule()
        self._ready = Ready(rules.aging_ms)
        self._keys = KeyOrder()
        self._duplicates = (
            Duplicates(rules.deduplication_window_ms) if rules.deduplication_window_ms else None
        )
        self._priorities: dict[int, int] = {}
        """Of records with another than the default."""
        self._due_ms: dict[int, int] = {}
        """Of records that wait behind others of their key, and would have to wait anyway."""
        self._expires_ms: dict[int, int] = {}
        self._filter = rules.filter
        self._begins_at = window.start_offset

    # Records that it has not seen yet

    def looks_ahead(self) -> bool:
        """Whether it wants to know more records, if the log has them."""
        if self.looked_to < self.window.next_offset:
            return True
        is_enough = len(self._ready) + len(self._keys) >= self.rules.lookahead
        return not is_enough and self.tracked < self.rules.tracked_max

    @property
    def tracked(self) -> int:
        """How many records it knows that are not done, roughly."""
        return max(len(self._waiting) + len(self._ready), len(self._keys), len(self._expires_ms))

    def admit(self, base_offset: int, last_offset: int, records: Iterable[Record], time_ms: int) -> None:
        """Look at one batch of the log, the next behind those it knows.

        `records` are those that consumers may see: none of a transaction's marker, or of an aborted
        transaction. What is not among them is given up. `time_ms` is the batch's time, by which it ages.
        """
        window = self.window
        if last_offset < self.looked_to:
            return
        first_new = max(base_offset, window.next_offset)
        begin = max(self.looked_to, window.start_offset)
        if last_offset >= begin:
            self._extend(min(first_new, window.next_offset), last_offset)
            self._ready.note_batch(max(base_offset, begin), time_ms)
        expected = begin
        for record in records:
            if record.offset < self.looked_to:
                continue
            if not self._is_wanted(record) or record.offset < begin:
                continue
            self._give_up(expected, record.offset - 1)
            expected = record.offset + 1
            self._enter(record)
        self._give_up(expected, last_offset)
        self.looked_to = last_offset + 1
        if window.advance():
            self._ready.forget_below(window.start_offset)

    def _extend(self, first: int, last: int) -> None:
        """Make the window reach to `last`, with records that are available."""
        window = self.window
        if first > last or last < window.next_offset:
            return
        first = max(first, window.next_offset)
        window.put_gap(first, last)
        window.end_offset = last

    def _is_wanted(self, record: Record) -> bool:
        """Whether it is for this group, and for the first time. Every record must be asked about once."""
        group_id = redriven_for(record)
        if group_id is not None:
            if group_id != self._group_id:
                return False  # this one had its own already
        elif self._duplicates is not None:
            identity = identity_of(record, self.rules)
            if identity is not None and self._duplicates.is_known(identity, record.timestamp_ms):
                return False
        return self._filter is None or self._filter(record)

    def _give_up(self, first: int, last: int) -> None:
        """These are for nobody. It is not stored: whoever looks at them again finds out again."""
        for batch in self.window.batches_between(first, last):
            for run in list(batch.overlapping(first, last)):
                if run.is_available:
                    self.window.archive(batch, max(run.first, first), min(run.last, last))

    def _enter(self, record: Record) -> None:
        entry = entry_of(record, self.rules)
        offset = entry.offset
        run = self._run_with(offset)
        if run is None or run.state.is_terminal or run.state is RecordState.ARCHIVING:
            return
        if entry.priority != PRIORITY_DEFAULT:
            self._priorities[offset] = entry.priority
        if entry.expires_ms:
            self._expires_ms[offset] = entry.expires_ms
            self._expiring.add(entry.expires_ms, offset)
        due_ms = entry.due_ms
        if run.delivery_count:
            due_ms = max(due_ms, self._held_until_ms(offset, run.delivery_count))
        is_first = not self.rules.is_ordered_by_key or self._keys.add(offset, record.key)
        if is_first:
            self._offer(offset, due_ms)
        elif due_ms:
            self._due_ms[offset] = due_ms

    def _held_until_ms(self, offset: int, delivery_count: int) -> int:
        """Until when a record is held back that was let go of before this queue came."""
        held_ms = self._backoff_ms(delivery_count)
        released_ms = self._released.time_ms_of(offset) if held_ms and self._released is not None else 0
        return released_ms + held_ms if released_ms else 0

    def _backoff_ms(self, delivery_count: int) -> int:
        return self.rules.backoff_of(delivery_count, self._random.random())

    def _offer(self, offset: int, due_ms: int = 0) -> None:
        """A record may be delivered, from a time on."""
        if due_ms:
            self._waiting.add(due_ms, offset)
        else:
            self._ready.add(offset, self._priorities.get(offset, PRIORITY_DEFAULT))

    # Delivering

    def next_offset(self, member_id: str, now_ms: int) -> int | None:
        """The record that a member is to get next; None if there is none for it now."""
        if self.rules.has_one_owner and self.owner_id not in (None, member_id):
            return None
        for offset in self._waiting.pop_due(now_ms):
            self._offer(offset)
        while (heap := self._ready.best(now_ms)) is not None:
            run = self._run_with(heap[0])
            if run is not None and run.is_available and self._keys.is_first(heap[0]):
                return heap[0]
            pop(heap)
        return None

    def take(
        self, member_id: str, records_max: int, last_read: int, limits: ShareLimits, lock: Lock, now_ms: int
    ) -> list[Acquired]:
        """Give a member the next record and those like it, up to `last_read`, the last that was read."""
        chosen: list[int] = []
        first = self.next_offset(member_id, now_ms)
        if first is None or first > last_read:
            return []
        heap = self._ready.best(now_ms)
        while heap and heap[0] <= last_read and len(chosen) < records_max:
            offset = pop(heap)
            run = self._run_with(offset)
            is_twice = bool(chosen) and chosen[-1] == offset
            if run is not None and run.is_available and not is_twice and self._keys.is_first(offset):
                chosen.append(offset)
        if self.rules.has_one_owner:
            self.owner_id = member_id
        return [
            acquired
            for low, high in _ranges(chosen)
            for acquired in self._acquire(low, high, member_id, lock)
        ]

    def _acquire(self, first: int, last: int, member_id: str, lock: Lock) -> Iterator[Acquired]:
        for batch in self.window.batches_between(first, last):
            batch.is_split = True
            taken = batch.isolated(first, last)
            for run in taken:
                run.state = RecordState.ACQUIRED
                run.delivery_count += 1
                run.member_id = member_id
                run.lock = lock
                lock.hold(run.first, run.last)
                yield Acquired(run.first, run.last, run.delivery_count)
            batch.join(first, last)

    # What becomes of records

    def on_change(self, change: Change, *, is_stored: bool, now_ms: int) -> None:
        """States have changed; or the change could not be stored, and they are as they were."""
        if not is_stored:
            # Who had them still has them, unless the lock expired meanwhile.
            for first, last in change.ranges:
                for batch in self.window.batches_between(first, last):
                    for run in batch.overlapping(first, last):
                        if run.is_available:
                            low, high = max(run.first, first), min(run.last, last)
                            self._come_back(low, high, run.delivery_count, now_ms)
            return
        for first, last, state, delivery_count in change.state_batches:
            if state == RecordState.AVAILABLE:
                self._come_back(first, last, delivery_count, now_ms)
            else:
                self._leave(first, last)

    def begin_at(self, start_offset: int) -> None:
        """The log has lost what was below."""
        for offset in self._keys.below(start_offset):
            self._leave(offset, offset)
        for known in (self._priorities, self._expires_ms, self._due_ms):
            for offset in [each for each in known if each < start_offset]:
                del known[offset]
        self.looked_to = max(self.looked_to, start_offset)

    def release_owner(self, member_id: str) -> None:
        """A member is gone: another may have the partition."""
        if self.owner_id == member_id:
            self.owner_id = None

    def _come_back(self, first: int, last: int, delivery_count: int, now_ms: int) -> None:
        held_ms = self._backoff_ms(delivery_count)
        due_ms = now_ms + held_ms if held_ms else 0
        for offset in range(first, last + 1):
            self._offer(offset, due_ms)
            expires_ms = self._expires_ms.get(offset)
            if expires_ms is not None and expires_ms <= now_ms:
                self._expiring.add(expires_ms, offset)

    def _leave(self, first: int, last: int) -> None:
        if not (len(self._keys) or self._priorities or self._expires_ms or self._due_ms):
            return
        for offset in range(first, last + 1):
            self._priorities.pop(offset, None)
            self._expires_ms.pop(offset, None)
            self._due_ms.pop(offset, None)
            following = self._keys.remove(offset)
            if following is not None:
                self._offer(following, self._due_ms.pop(following, 0))

    # Time

    @property
    def wakes_at_ms(self) -> int | None:
        """When a record becomes ready, or expires."""
        times = [each for each in (self._waiting.next_ms, self._expiring.next_ms) if each is not None]
        return min(times, default=None)

    def expire(self, limits: ShareLimits, now_ms: int) -> Change:
        """Give up what is of no use any more and nobody has. The change counts at once, and is to be stored
        and told to `on_change`.
        """
        change = Change()
        limits = limits if self.rules.has_dead_letters_on_expiry else limits._replace(has_dead_letters=False)
        for first, last in _ranges(sorted(set(self._expiring.pop_due(now_ms)))):
            give_up(self.window, first, last, Cause.EXPIRED, limits, change)
        return change

    @property
    def waiting_count(self) -> int:
        """How many records wait for their time, roughly."""
        return len(self._waiting)

    def _run_with(self, offset: int) -> Run | None:
        batch: InFlightBatch | None = self.window.batch_with(offset)
        if batch is None or offset < self.window.start_offset:
            return None
        return next(batch.overlapping(offset, offset), None)


def _ranges(offsets: list[int]) -> Iterator[tuple[int, int]]:
    """Neighbours among sorted offsets as one range."""
    if not offsets:
        return
    first = before = offsets[0]
    for offset in offsets[1:]:
        if offset != before + 1:
            yield first, before
            first = offset
        before = offset
    yield first, before
