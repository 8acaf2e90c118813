"""Runs one group shard as the broker does, without a broker: a log in memory, time by hand.

Every record goes through its bytes and into a second shard that only replays, so that "replaying what was
written gives equal state" is checked after every single outcome.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Any

from kstream.coordinator.codec import RecordDecoder, encode_record
from kstream.coordinator.outcome import CoordinatorRecord, Notice, Outcome
from kstream.coordinator.timers import TimerHeap
from kstream.groups.classic import ClassicGroup
from kstream.groups.cluster import Cluster
from kstream.groups.settings import GroupSettings
from kstream.groups.shard import GroupShard
from kstream.groups.states import ClassicState
from kstream.records.schemas.group import KEYS, VALUES

START_MS = 1_700_000_000_000
Operation = Callable[[GroupShard, int, "Token"], Outcome]


class Token:
    """A request that waits for its answer. `response` is None until it has one."""

    def __init__(self, on_answer: Callable[[Any], None] | None = None) -> None:
        self.response: Any = None
        self._on_answer = on_answer

    @property
    def is_answered(self) -> bool:
        return self.response is not None

    def answer(self, response: Any) -> None:
        assert self.response is None, f"answered twice: {self.response}, {response}"
        self.response = response
        if self._on_answer is not None:
            self._on_answer(response)


class Driver:
    """A shard at work."""

    def __init__(self, settings: GroupSettings | None = None, cluster: Cluster | None = None) -> None:
        self.cluster = cluster
        self.settings = settings or GroupSettings()
        self.now_ms = START_MS
        self.log: list[tuple[bytes, bytes | None]] = []
        self.notices: list[str] = []
        self.effects: list[object] = []
        """Those that are no notices, for a test to carry out."""
        self.unanswered: set[Token] = set()
        self._decoder = RecordDecoder(KEYS, VALUES)
        self._ids = self._member_ids()
        self.shard = GroupShard(self.settings, self._next_id, cluster)
        self.follower = GroupShard(self.settings, cluster=cluster)
        self.timers = TimerHeap()
        self.carry_out(self.shard.on_loaded(self.now_ms))

    @staticmethod
    def _member_ids() -> Iterator[int]:
        yield from range(1, 1 << 60)

    def _next_id(self, prefix: str | None) -> str:
        return f"{prefix or 'member'}-{next(self._ids)}"

    def perform(self, operation: Operation, on_answer: Callable[[Any], None] | None = None) -> Token:
        """Run an operation; the token has the answer, now or later. Raises ApiError as the operation does."""
        token = Token(on_answer)
        outcome = operation(self.shard, self.now_ms, token)
        self.unanswered.add(token)
        self.carry_out(outcome)
        return token

    def ask(self, operation: Operation) -> Any:
        """Run an operation that is answered at once."""
        response = self.perform(operation).response
        assert response is not None, "no answer yet"
        return response

    def carry_out(self, outcome: Outcome) -> None:
        """As `kstream.broker.coordinated` does it."""
        for record in outcome.records:
            key, value = encode_record(record)
            self.log.append((key, value))
            self.shard.replay(record)
            decoded = self._decoder.decode(key, value)
            assert decoded is not None
            self.follower.replay(decoded)
        for record in outcome.records:
            self._compare(record)
        for timer, delay_ms in outcome.timers.items():
            if delay_ms is None:
                self.timers.cancel(timer)
            else:
                self.timers.set(timer, self.now_ms + delay_ms)
        for effect in outcome.effects:
            if isinstance(effect, Notice):
                self.notices.append(effect.text)
            else:
                self.effects.append(effect)
        for token, response in outcome.replies:
            assert isinstance(token, Token)
            self.unanswered.remove(token)
            token.answer(response)

    def _compare(self, record: CoordinatorRecord) -> None:
        group_id = str(getattr(record.key, "group", "") or getattr(record.key, "group_id", ""))
        ours, theirs = self.shard.state, self.follower.state
        group, copy = ours.groups.get(group_id), theirs.groups.get(group_id)
        assert (group is None) == (copy is None)
        assert group is None or copy is None or group.written == copy.written
        consumers, followed = ours.consumer_groups.get(group_id), theirs.consumer_groups.get(group_id)
        assert (consumers is None) == (followed is None)
        assert consumers is None or followed is None or consumers.written() == followed.written()
        sharers, their_sharers = ours.share_groups.get(group_id), theirs.share_groups.get(group_id)
        assert (sharers is None) == (their_sharers is None)
        assert sharers is None or their_sharers is None or sharers.written() == their_sharers.written()
        assert ours.offsets.by_group.get(group_id) == theirs.offsets.by_group.get(group_id)

    def advance(self, ms: int) -> None:
        """Let time pass, and everything happen that is due meanwhile, each thing at its time."""
        end_ms = self.now_ms + ms
        while True:
            wakes_at_ms = self.timers.wakes_at_ms()
            if wakes_at_ms is None or wakes_at_ms > end_ms:
                break
            self.now_ms = max(self.now_ms, int(wakes_at_ms))
            self.run_timers()
        self.now_ms = end_ms

    def run_timers(self) -> None:
        """Do what is due now."""
        for key in self.timers.pop_due(self.now_ms):
            assert isinstance(key, tuple)
            self.carry_out(self.shard.on_timer(key, self.now_ms))

    def restart(self) -> None:
        """A crash of the coordinator: a new shard from the log. Nobody answers who waits."""
        self.unanswered.clear()
        self.effects.clear()
        self.shard = self.replayed()
        self.timers = TimerHeap()
        self.carry_out(self.shard.on_loaded(self.now_ms))

    def replayed(self) -> GroupShard:
        """A fresh shard that replayed the log."""
        shard = GroupShard(self.settings, self._next_id, self.cluster)
        for key, value in self.log:
            record = self._decoder.decode(key, value)
            assert record is not None
            shard.replay(record)
        return shard

    def check_replay(self) -> None:
        """Replaying the log gives equal hard state; and a stable group comes back with all it had."""
        fresh = self.replayed()
        assert fresh.state.written() == self.shard.state.written()
        fresh.on_loaded(self.now_ms)
        for group_id, group in self.shard.state.groups.items():
            if group.state is ClassicState.STABLE:
                assert facts(fresh.state.groups[group_id]) == facts(group)

    def check_waiting(self) -> None:
        """Every request without an answer is one that the shard knows of: none is lost."""
        assert set(self.shard.waiting()) == self.unanswered

    def group(self, group_id: str) -> ClassicGroup:
        return self.shard.state.groups[group_id]


def facts(group: ClassicGroup) -> tuple[object, ...]:
    """What must survive a restart."""
    members = {
        member.member_id: (member.instance_id, member.session_timeout_ms, member.assignment)
        for member in group.members.values()
    }
    return (group.state, group.generation, group.protocol_type, group.protocol_name, group.leader_id, members)


class Agenda:
    """Things to happen, by time, first set first done."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, when_ms: int, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (when_ms, self._count, action))

    def next_ms(self) -> int | None:
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now_ms: int) -> Iterator[Callable[[], None]]:
        while self._heap and self._heap[0][0] <= now_ms:
            yield heapq.heappop(self._heap)[2]
