"""Simulated consumers against the pure coordinator, in an order that a seed decides.

A client behaves as Kafka's consumers do: it joins with the id it was given, syncs, heartbeats, commits, joins
again when told to, and forgets itself when it is unknown or fenced. On top it does what real ones do: crash,
pause, leave, come back as a static member, change what it subscribes to; and its requests and their answers
take their time, so that they arrive late and in any order between clients.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from kstream.errors import ApiError, ErrorCode
from kstream.groups.commit import commit_offsets
from kstream.groups.heartbeat import heartbeat, leave_group
from kstream.groups.join import join_group
from kstream.groups.settings import Caller, GroupSettings
from kstream.groups.states import ClassicState
from kstream.groups.sync import sync_group
from kstream.wire.messages.heartbeat import HeartbeatRequest
from kstream.wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from kstream.wire.messages.leave_group import LeaveGroupRequest, MemberIdentity
from kstream.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kstream.wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from tests.groups.driver import Agenda, Driver

GROUP = "group"
PARTITIONS = 7
_SESSION_MS = 6_000
_REBALANCE_MS = 8_000
_HEARTBEAT_MS = 1_000
_DELAY_MS_MAX = 10_000


class Client:
    """One consumer process. After a crash nothing of it does anything any more."""

    def __init__(self, world: World, name: str, instance_id: str | None, version: int) -> None:
        self.world = world
        self.name = name
        self.instance_id = instance_id
        self.version = version
        self.member_id = ""
        self.generation = -1
        self.owned: frozenset[int] | None = None
        """Partitions it believes to own; None while it has no part in a generation."""
        self.is_alive = True
        self.paused_until_ms = 0
        self.metadata = b"0"
        self.is_busy = False
        self.attempt = 0

    # Requests

    def send(
        self,
        operation: Callable[..., Any],
        on_answer: Callable[[Any], None],
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        """Let a request arrive after a while, and its answer after another. A restart loses either."""
        attempt = self.attempt

        def deliver(response: Any) -> None:
            if self.is_alive and attempt == self.attempt:
                on_answer(response)

        def lose() -> None:
            if self.is_alive and attempt == self.attempt and on_lost is not None:
                on_lost()

        self.world.request(operation, deliver, lose)

    def join(self) -> None:
        self.attempt += 1
        self.is_busy = True
        self.owned = None
        request = JoinGroupRequest(
            group_id=GROUP,
            session_timeout_ms=_SESSION_MS,
            rebalance_timeout_ms=_REBALANCE_MS,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            protocol_type="consumer",
            protocols=[JoinGroupRequestProtocol(name="range", metadata=self.metadata)],
        )
        caller = Caller(self.name, "/127.0.0.1", self.version)
        self.send(
            lambda shard, now_ms, token: join_group(shard.state, request, caller, token, now_ms),
            self.on_joined,
            self.join,
        )

    def on_joined(self, response: Any) -> None:
        error = ErrorCode(response.error_code)
        if error is ErrorCode.MEMBER_ID_REQUIRED:
            self.member_id = response.member_id
            self.join()
        elif error is not ErrorCode.NONE:
            self.on_error(error)
        else:
            self.member_id = response.member_id
            self.generation = response.generation_id
            assignments = []
            if response.leader == self.member_id and not response.skip_assignment:
                assignments = assign([member.member_id for member in response.members])
            self.sync(assignments)

    def sync(self, assignments: list[SyncGroupRequestAssignment]) -> None:
        request = SyncGroupRequest(
            group_id=GROUP,
            generation_id=self.generation,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            protocol_type="consumer",
            protocol_name="range",
            assignments=assignments,
        )
        caller = Caller(self.name, "/127.0.0.1", 5)
        self.send(
            lambda shard, now_ms, token: sync_group(shard.state, request, caller, token, now_ms),
            self.on_synced,
            self.join,
        )

    def on_synced(self, response: Any) -> None:
        if response.error_code:
            self.on_error(ErrorCode(response.error_code))
            return
        self.is_busy = False
        self.owned = frozenset(response.assignment)
        self.world.note_owner(self)

    def beat(self) -> None:
        request = HeartbeatRequest(
            group_id=GROUP,
            generation_id=self.generation,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
        )
        self.send(lambda shard, now_ms, token: heartbeat(shard.state, request, token), self.on_beat)

    def on_beat(self, response: Any) -> None:
        if response.error_code and not self.is_busy:
            self.on_error(ErrorCode(response.error_code))

    def commit(self, generation: int) -> None:
        """Commit, perhaps in the name of a generation that is over."""
        topic = OffsetCommitRequestTopic(
            name="topic",
            partitions=[
                OffsetCommitRequestPartition(partition_index=index, committed_offset=self.world.next_number())
                for index in sorted(self.owned or ())
            ],
        )
        request = OffsetCommitRequest(
            group_id=GROUP,
            generation_id_or_member_epoch=generation,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            topics=[topic],
        )
        world, member_id = self.world, self.member_id

        def operation(shard: Any, now_ms: int, token: Any) -> Any:
            outcome = commit_offsets(shard.state, request, Caller(self.name, "/h", 8), token, now_ms)
            world.check_commit(generation, member_id)
            return outcome

        self.send(operation, lambda response: None)

    def leave(self) -> None:
        identity = MemberIdentity(member_id=self.member_id, group_instance_id=self.instance_id)
        request = LeaveGroupRequest(group_id=GROUP, members=[identity])
        caller = Caller(self.name, "/127.0.0.1", 5)
        self.send(
            lambda shard, now_ms, token: leave_group(shard.state, request, caller, token, now_ms),
            lambda response: None,
        )
        self.is_alive = False

    def on_error(self, error: ErrorCode) -> None:
        if error is ErrorCode.FENCED_INSTANCE_ID:
            self.is_alive = False  # another process has its place: fatal for it, as in Kafka's clients
            return
        assert error in (
            ErrorCode.UNKNOWN_MEMBER_ID,
            ErrorCode.ILLEGAL_GENERATION,
            ErrorCode.REBALANCE_IN_PROGRESS,
        ), error
        if error is ErrorCode.UNKNOWN_MEMBER_ID:
            self.member_id = ""
            self.generation = -1
        self.join()


def assign(member_ids: list[str]) -> list[SyncGroupRequestAssignment]:
    """Every partition to somebody."""
    parts: dict[str, list[int]] = {member_id: [] for member_id in sorted(member_ids)}
    names = list(parts)
    for partition in range(PARTITIONS):
        parts[names[partition % len(names)]].append(partition)
    return [
        SyncGroupRequestAssignment(member_id=name, assignment=bytes(owned)) for name, owned in parts.items()
    ]


class World:
    """Coordinator, network, clients, and what must always hold."""

    def __init__(self, seed: int, *, initial_delay_ms: int = 0) -> None:
        self.random = random.Random(seed)
        self.driver = Driver(GroupSettings(initial_rebalance_delay_ms=initial_delay_ms))
        self.agenda = Agenda()
        self.clients: list[Client] = []
        self.owners: dict[tuple[int, int], str] = {}
        self.generation_max = -1
        self.commits_accepted = 0
        self.commits_refused = 0
        self.is_fair = False
        """Whether clients behave from now on: none crashes, pauses or goes."""
        self.incarnation = 0
        """Counts restarts of the coordinator."""
        self.lost_on_restart: list[Callable[[], None]] = []
        self._number = 0
        self._named = 0

    def next_number(self) -> int:
        self._number += 1
        return self._number

    # Network

    def request(
        self, operation: Callable[..., Any], deliver: Callable[[Any], None], lose: Callable[[], None]
    ) -> None:
        """Send a request. Connections break when the coordinator restarts: what is on the way is lost."""
        incarnation = self.incarnation
        self.lost_on_restart.append(lose)

        def arrive() -> None:
            if incarnation != self.incarnation:
                return
            try:
                self.driver.perform(operation, answer)
            except ApiError:
                self.commits_refused += 1
            self.observe()

        def answer(response: Any) -> None:
            generation = getattr(response, "generation_id", -1)
            self.generation_max = max(self.generation_max, generation)
            self.agenda.at(self.driver.now_ms + self._delay_ms(), lambda: arrive_back(response))

        def arrive_back(response: Any) -> None:
            if incarnation == self.incarnation:
                self.lost_on_restart.remove(lose)
                deliver(response)

        self.agenda.at(self.driver.now_ms + self._delay_ms(), arrive)

    def _delay_ms(self) -> int:
        if self.random.random() < 0.02 and not self.is_fair:
            return self.random.randrange(_DELAY_MS_MAX)
        return self.random.randrange(60)

    # What must hold

    def note_owner(self, client: Client) -> None:
        """No partition has two owners in one generation."""
        for partition in client.owned or ():
            key = (client.generation, partition)
            who = client.instance_id or client.member_id
            assert self.owners.setdefault(key, who) == who, (key, self.owners[key], who)

    def check_commit(self, generation: int, member_id: str) -> None:
        """A commit was accepted: it is of the newest generation anybody was told of, by a member."""
        self.commits_accepted += 1
        assert generation == self.generation_max, (generation, self.generation_max)
        assert member_id in self.driver.group(GROUP).members

    def observe(self) -> None:
        """After every request and timer."""
        self.driver.check_waiting()
        group = self.driver.shard.state.groups.get(GROUP)
        if group is None:
            return
        assert group.awaiting_join == sum(m.awaiting_join is not None for m in group.members.values())
        assert group.pending_syncs <= group.members.keys()
        assert not group.pending_joins & group.members.keys()
        assert set(group.static_members.values()) <= group.members.keys()
        assert (group.leader_id in group.members) == bool(group.members)
        if not group.members and not group.is_empty:
            # All have gone while somebody with a new id is expected.
            assert group.state is ClassicState.PREPARING_REBALANCE
            assert group.pending_joins
        assert not (group.is_empty and group.members)
        if group.state is ClassicState.STABLE:
            shares = [member.assignment for member in group.members.values()]
            owned = [partition for share in shares for partition in share]
            assert len(owned) == len(set(owned))
            assert set(owned) <= set(range(PARTITIONS))

    # Running

    def add_client(self) -> None:
        self._named += 1
        instance_id = f"instance-{self.random.randrange(3)}" if self.random.random() < 0.3 else None
        version = self.random.choice([5, 8, 9] if instance_id else [0, 3, 4, 5, 9])
        client = Client(self, f"client-{self._named}", instance_id, version)
        self.clients.append(client)
        client.join()
        self._schedule_beats(client)

    def _schedule_beats(self, client: Client) -> None:
        def beat() -> None:
            if not client.is_alive:
                return
            now_ms = self.driver.now_ms
            if client.owned is not None and not client.is_busy and now_ms >= client.paused_until_ms:
                client.beat()
            self.agenda.at(now_ms + _HEARTBEAT_MS, beat)

        self.agenda.at(self.driver.now_ms + _HEARTBEAT_MS, beat)

    def disturb(self) -> None:
        """One thing that happens to a real group."""
        alive = [client for client in self.clients if client.is_alive]
        self.clients = alive
        if len(alive) < 2 or (len(alive) < 8 and self.random.random() < 0.25):
            self.add_client()
            return
        client = self.random.choice(alive)
        what = self.random.random()
        if what < 0.10:
            client.is_alive = False
        elif what < 0.18 and client.member_id:
            client.leave()
        elif what < 0.28:
            client.paused_until_ms = self.driver.now_ms + self.random.randrange(12_000)
        elif what < 0.36 and not client.is_busy:
            client.metadata = bytes([self.random.randrange(256)])
            client.join()
        elif what < 0.40:
            self._restart()
        elif what < 0.44:
            self.driver.check_replay()
        elif client.owned is not None:
            stale = self.random.random() < 0.3
            client.commit(client.generation - stale * self.random.randrange(1, 3))

    def _restart(self) -> None:
        """The coordinator crashes. What was told of a generation that was never written is void."""
        self.incarnation += 1
        lost, self.lost_on_restart = self.lost_on_restart, []
        self.driver.restart()
        group = self.driver.shard.state.groups.get(GROUP)
        self.generation_max = -1 if group is None else group.generation
        for lose in lost:
            lose()
        self.observe()

    def step(self) -> None:
        """Disturb, then let the next things happen."""
        if not self.is_fair and self.random.random() < 0.1:
            self.disturb()
        driver = self.driver
        moments = [self.agenda.next_ms(), driver.timers.wakes_at_ms()]
        due_ms = [int(moment) for moment in moments if moment is not None]
        driver.now_ms = max(driver.now_ms, min(due_ms))
        for action in self.agenda.pop_due(driver.now_ms):
            action()
        driver.run_timers()
        self.observe()

    def settle(self, seconds: int = 120) -> None:
        """Everybody behaves: within a bounded time the group is stable, every partition is owned, and so it
        stays.
        """
        self.is_fair = True
        drained_ms = self.driver.now_ms + 2 * _DELAY_MS_MAX  # what the dead sent arrives first
        while self.driver.now_ms < drained_ms:
            self.step()
        end_ms = self.driver.now_ms + seconds * 1000
        while not self.is_settled():
            assert self.driver.now_ms < end_ms, self.driver.shard.state.groups
            self.step()
        generation, quiet_ms = self.generation_max, self.driver.now_ms + 2 * _SESSION_MS
        while self.driver.now_ms < quiet_ms:
            self.step()
        assert self.is_settled()
        assert self.generation_max == generation

    def is_settled(self) -> bool:
        """Whether all who are alive have their part in a stable generation, and nobody else is there."""
        alive = [client for client in self.clients if client.is_alive]
        group = self.driver.shard.state.groups.get(GROUP)
        if group is None or not alive:
            return not alive and (group is None or group.is_empty)
        owned = sorted(partition for client in alive for partition in client.owned or ())
        return (
            group.state is ClassicState.STABLE
            and {client.member_id for client in alive} == set(group.members)
            and all(client.generation == group.generation for client in alive)
            and owned == list(range(PARTITIONS))
        )
