"""A share partition, its coordinator and some workers in one process, with chance as the network: what
the workers are told must make sense whatever dies when.

What is simulated: members that fetch, acknowledge in parts, fall silent and come back; locks that expire
at any instant; writes of states that take their time, fail, or are stored and never answered for because
the broker dies; restarts of the coordinator and of the partition's leader; a log that grows and loses its
beginning.

What must hold:
- nobody gets a record that another has, and nobody can settle a record he does not have any more;
- a record whose acknowledgement was answered with success is never delivered again;
- a record is delivered at most as often as the limit allows, but for deliveries that a dying broker forgets;
- no record is passed over: what the window has left behind was accepted, rejected, delivered to the
  limit, or lost by the log;
- replaying what was written gives equal state: the coordinator's driver checks that with every record;
- once all behave, all is settled.
"""

from __future__ import annotations

import random
from itertools import pairwise
from typing import NamedTuple

from kstream.errors import ApiError
from kstream.shares.acquiring import LogBatch, Wish, acquire
from kstream.shares.changes import Change
from kstream.shares.limits import Acknowledgement, AcknowledgeType, AcquireMode, ShareLimits
from kstream.shares.settling import acknowledge, archive_dead, expire, release, settle
from kstream.shares.state_batches import StateBatch
from kstream.shares.state_store import ShareKey, ShareStateSettings
from kstream.shares.window import ShareWindow
from tests.shares.state_driver import TOPIC, StateDriver

KEY = ShareKey("g", TOPIC, 0)
MEMBERS = ("a", "b", "c", "d")


class Write(NamedTuple):
    """A change on its way into the stored state."""

    change: Change
    start_offset: int
    complete: int
    told: tuple[str, Acknowledgement] | None
    """Whom its success is told to, and of what."""


class Simulation:
    """One run. `step` does something at random; `finish` lets everybody behave."""

    def __init__(self, seed: int) -> None:
        chance = self.chance = random.Random(seed)
        self.limits = ShareLimits(
            delivery_count_max=chance.choice((2, 3, 5)),
            record_locks_max=chance.choice((10, 50, 2000)),
            lock_duration_ms=1000,
            has_dead_letters=chance.random() < 0.3,
        )
        self.states = StateDriver(ShareStateSettings(updates_per_snapshot=chance.randrange(5)))
        self.states.initialize(KEY)
        self.now_ms = 0.0
        self.leader_epoch = 0
        self.log: list[LogBatch] = []
        self.end = 0
        self.log_start = 0
        self.writes: list[Write] = []
        self.holders: dict[int, str] = {}
        self.deliveries: dict[int, int] = {}
        self.forgotten: dict[int, int] = {}
        """Deliveries that a dying broker had not stored."""
        self.settled: dict[int, AcknowledgeType] = {}
        """What was answered with success."""
        self.excused: set[int] = set()
        """What may be over without an answer: its acknowledgement was on its way when the broker died."""
        self.letters: set[int] = set()
        self._load()

    # What happens

    def step(self) -> None:
        chance, action = self.chance, self.chance.random()
        if action < 0.12:
            self._append()
        elif action < 0.42:
            self.fetch(
                chance.choice(MEMBERS), chance.choice((1, 2, 5, 500)), chance.choice(tuple(AcquireMode))
            )
        elif action < 0.68:
            self._acknowledge_something()
        elif action < 0.80 and self.writes:
            self.complete_write(is_stored=chance.random() < 0.85)
        elif action < 0.90:
            self.wait(chance.choice((1, 100, 999, 1000)))
        elif action < 0.94:
            member = chance.choice(MEMBERS)
            self._begin_write(release(self.window, member, self.limits), None)
        elif action < 0.97:
            self.crash()
        elif chance.random() < 0.5:
            self.states.prune()
            self.states.restart()
        else:
            self._lose_beginning()
        self.check()

    def _append(self) -> None:
        count = self.chance.choice((1, 1, 3, 8))
        self.log.append((self.end, self.end + count - 1))
        self.end += count

    def fetch(self, member: str, records_max: int, mode: AcquireMode = AcquireMode.BATCH_OPTIMIZED) -> int:
        """Read and acquire; how many records it got."""
        window = self.window
        if not window.can_acquire(self.limits, self.now_ms):
            return 0
        offset = window.next_fetch_offset(self.now_ms)
        if offset < self.log_start:
            window.begin_at(self.log_start)
            offset = window.next_fetch_offset(self.now_ms)
        read = [batch for batch in self.log if batch[1] >= offset][: self.chance.choice((1, 3, 100))]
        wish = Wish(member, records_max, self.chance.choice((1, 4, 500)), mode)
        count = 0
        for first, last, delivery_count in acquire(window, wish, offset, read, self.limits, self.now_ms):
            assert delivery_count <= self.limits.delivery_count_max
            for number in range(first, last + 1):
                assert number not in self.holders, (
                    f"{number} is {self.holders[number]}'s, and {member} got it"
                )
                assert number not in self.settled, f"{number} was settled, and came again"
                self.holders[number] = member
                self.deliveries[number] = self.deliveries.get(number, 0) + 1
                count += 1
        return count

    def _acknowledge_something(self) -> None:
        held = sorted(self.holders)
        member = self.chance.choice(MEMBERS)
        first = self.chance.choice(held) if held else 0
        if held and self.chance.random() < 0.8:
            member = self.holders[first]
        last = first + self.chance.choice((0, 0, 1, 4))
        kinds = (
            AcknowledgeType.ACCEPT,
            AcknowledgeType.RELEASE,
            AcknowledgeType.REJECT,
            AcknowledgeType.RENEW,
        )
        types = [self.chance.choice(kinds) for _ in range(last - first + 1)]
        self.acknowledge(member, Acknowledgement(first, last, tuple(map(int, types))))

    def acknowledge(self, member: str, what: Acknowledgement) -> None:
        """Ask for a change; its write is on its way."""
        try:
            change = acknowledge(self.window, member, [what], self.limits, self.now_ms)
        except ApiError:
            return
        for number in range(max(what.first_offset, self.window.start_offset), what.last_offset + 1):
            assert self.holders.get(number) == member, f"{member} settled {number}, which it does not have"
        self._begin_write(change, (member, what))

    def wait(self, delay_ms: float) -> None:
        """Let time pass: locks expire at once, and what follows is stored some time."""
        self.now_ms += delay_ms
        self.states.wait(int(delay_ms))
        change = expire(self.window, self.limits, self.now_ms)
        for batch in change.state_batches:
            for number in range(batch.first_offset, batch.last_offset + 1):
                self.holders.pop(number, None)
        self._begin_write(change, None)

    def _lose_beginning(self) -> None:
        lost = self.chance.randrange(4)
        self.log_start = min(self.end, self.log_start + lost)
        self.log = [batch for batch in self.log if batch[1] >= self.log_start]

    def crash(self) -> None:
        """The broker dies: of the writes on their way, each is stored or not, and nobody is told."""
        for write in self.writes:
            if self.chance.random() < 0.5:
                self._store(write)
            if write.told is not None:
                _, what = write.told
                self.excused.update(range(what.first_offset, what.last_offset + 1))
        self.writes = []
        self.holders.clear()
        self.states.restart()
        self.leader_epoch += 1
        self._load()
        remembered = self._counts()
        for number, count in self.deliveries.items():
            if number >= self.window.start_offset:
                self.forgotten[number] = count - remembered.get(number, 0)

    def _counts(self) -> dict[int, int]:
        """Delivery counts in the window."""
        return {
            number: run.delivery_count
            for batch in self.window.batches
            for run in batch.runs
            for number in range(run.first, run.last + 1)
        }

    # Writing

    def _begin_write(self, change: Change, told: tuple[str, Acknowledgement] | None) -> None:
        window = self.window
        if change.state_batches:
            self.writes.append(Write(change, window.start_offset, window.delivery_complete_count, told))

    def complete_write(self, *, is_stored: bool) -> None:
        """The oldest write is answered."""
        write = self.writes.pop(0)
        if is_stored:
            self._store(write)
        settled = settle(
            self.window, write.change, is_stored=is_stored, limits=self.limits, now_ms=self.now_ms
        )
        for first, last in write.change.ranges:
            for number in range(first, last + 1):
                if is_stored:
                    self.holders.pop(number, None)
        self._drop_expired()
        if is_stored and write.told is not None:
            _, (first, last, types) = write.told
            for number in range(first, last + 1):
                kind = AcknowledgeType(types[number - first])
                if kind in (AcknowledgeType.ACCEPT, AcknowledgeType.REJECT):
                    self.settled[number] = kind
        for dead in settled.dead_letters:
            self.letters.update(range(dead.first_offset, dead.last_offset + 1))
            self._begin_write(archive_dead(self.window, dead), None)

    def _store(self, write: Write) -> None:
        self.states.write(
            KEY,
            *write.change.state_batches,
            start_offset=write.start_offset,
            complete=write.complete,
            leader_epoch=self.leader_epoch,
        )

    def _drop_expired(self) -> None:
        """After a write that failed, a lock that expired meanwhile is gone."""
        for number in list(self.holders):
            batch = self.window.batch_with(number)
            run = None if batch is None else next(batch.overlapping(number, number), None)
            if run is None or (run.change is None and run.member_id != self.holders[number]):
                del self.holders[number]

    def _load(self) -> None:
        found = self.states.read(KEY, leader_epoch=self.leader_epoch)
        stored = [
            StateBatch(each.first_offset, each.last_offset, each.delivery_state, each.delivery_count)
            for each in found.state_batches
        ]
        self.window, dead_letters = ShareWindow.load(found.start_offset, stored, self.limits)
        for dead in dead_letters:
            self.letters.update(range(dead.first_offset, dead.last_offset + 1))
            self._begin_write(archive_dead(self.window, dead), None)

    # What must hold

    def check(self) -> None:
        window = self.window
        runs = [run for batch in window.batches for run in batch.runs]
        for before, after in pairwise(runs):
            assert before.last < after.first, "a record is in two states"
        for number, count in self.deliveries.items():
            allowed = self.limits.delivery_count_max + self.forgotten.get(number, 0)
            assert count <= allowed, f"{number} was delivered {count} times"
        passed = self._passed()
        for number in range(min(window.start_offset, self.end)):
            if number >= self.log_start:
                assert number in passed, f"{number} was passed over"

    def _passed(self) -> set[int]:
        """Records that the window may have left behind."""
        limit = self.limits.delivery_count_max
        often = {number for number, count in self.deliveries.items() if count >= limit}
        return set(self.settled) | self.excused | often | self.letters

    def finish(self) -> None:
        """Who has something is silent for ever, and one member behaves: all is settled within some rounds."""
        silent = set(self.holders)
        for _ in range(200):
            while self.writes:
                self.complete_write(is_stored=True)
            silent &= set(self.holders)
            self.fetch("e", 500)
            for number in sorted(set(self.holders) - silent):
                if number >= self.window.start_offset:
                    self.acknowledge("e", Acknowledgement(number, number, (int(AcknowledgeType.ACCEPT),)))
            while self.writes:
                self.complete_write(is_stored=True)
            self.wait(1000)
            self.check()
            if not self.writes and not self.window.batches and self.window.start_offset >= self.end:
                return
        raise AssertionError(
            f"not all is settled: {self.window.start_offset} of {self.end}, {self.window.batches}"
        )
