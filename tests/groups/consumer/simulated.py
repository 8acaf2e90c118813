"""A world of simulated consumers of both protocols, with topics that change and a coordinator that restarts,
in an order that a seed decides; and what must hold in it, always.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from kstream.errors import ApiError
from kstream.groups.consumer.states import (
    GROUP_TRANSITIONS,
    MEMBER_TRANSITIONS,
    ConsumerState,
    MemberState,
)
from kstream.groups.settings import GroupSettings
from kstream.groups.states import ClassicState
from tests.groups.consumer.bench import GROUP
from tests.groups.consumer.fake_cluster import FakeCluster
from tests.groups.consumer.simulated_clients import SESSION_MS, ClassicClient, ConsumerClient
from tests.groups.driver import Agenda, Driver

HEARTBEAT_MS = 1_000
_DELAY_MS_MAX = 10_000
_TOPICS_MAX = 4

Client = ConsumerClient | ClassicClient

_GROUP_ARROWS = {(each.source, each.target) for each in GROUP_TRANSITIONS}
_MEMBER_ARROWS = {(each.source, each.target) for each in MEMBER_TRANSITIONS}


class World:
    """Coordinator, network, topics and clients. `kinds` says which protocols clients speak."""

    def __init__(self, seed: int, *, classic_share: float) -> None:
        self.random = random.Random(seed)
        self.classic_share = classic_share
        self.is_cooperative = bool(seed % 2)
        self.cluster = FakeCluster(t1=5, t2=3)
        interval_ms = (1_000, 0, 3_000)[seed % 3]
        self.cluster.config = self.cluster.config._replace(
            session_timeout_ms=SESSION_MS, assignment_interval_ms=interval_ms
        )
        self.driver = Driver(GroupSettings(initial_rebalance_delay_ms=0), self.cluster)
        self.agenda = Agenda()
        self.clients: list[Client] = []
        self.incarnation = 0
        self.lost_on_restart: list[Callable[[], None]] = []
        self.is_fair = False
        self.commits_accepted = 0
        self.commits_refused = 0
        self.epoch_max = 0
        self.kinds_seen: set[str] = set()
        self._named = 0
        self._states: tuple[ConsumerState | None, dict[str, MemberState]] = (None, {})

    # The network

    def later(self, delay_ms: int, action: Callable[[], None]) -> None:
        self.agenda.at(self.driver.now_ms + delay_ms, action)

    def request(
        self,
        client: Any,
        operation: Callable[..., Any],
        deliver: Callable[[Any], None],
        lose: Callable[[], None],
    ) -> None:
        """Carry a request there and its answer back, unless the coordinator restarts: what is on the way is
        lost. An ApiError comes back as its code.
        """
        incarnation = self.incarnation
        self.lost_on_restart.append(lose)

        def arrive() -> None:
            if incarnation != self.incarnation:
                return
            try:
                self.driver.perform(operation, answer)
            except ApiError as error:
                self.commits_refused += 1
                answer(error.code)
            self.observe()

        def answer(response: Any) -> None:
            self.later(self._delay_ms(), lambda: arrive_back(response))

        def arrive_back(response: Any) -> None:
            if incarnation == self.incarnation:
                self.lost_on_restart.remove(lose)
                deliver(response)

        client.last_arrival_ms = max(client.last_arrival_ms, self.driver.now_ms + self._delay_ms())
        self.agenda.at(client.last_arrival_ms, arrive)

    def _delay_ms(self) -> int:
        if self.random.random() < 0.02 and not self.is_fair:
            return self.random.randrange(_DELAY_MS_MAX)
        return self.random.randrange(60)

    def is_instance_alive(self, client: Client) -> bool:
        """Whether another process with its instance id is alive."""
        return any(
            other.is_alive and other is not client and other.instance_id == client.instance_id
            for other in self.clients
        )

    # What must hold

    def check_owners(self) -> None:
        """No partition is believed to be owned by two processes that are members."""
        owners: dict[tuple[bytes, int], str] = {}
        for client in self.clients:
            if client.is_alive and self._counts(client):
                for partition in client.owned:
                    assert owners.setdefault(partition, client.name) == client.name, (
                        partition,
                        owners[partition],
                        client.name,
                    )

    def _counts(self, client: Client) -> bool:
        """Whether it is a member; a classic one only once it has synced in its present generation, since one
        that was removed is let in again under its old id, and hears that it lost all when it syncs.
        """
        state = self.driver.shard.state
        if isinstance(client, ClassicClient) and not client.has_part:
            return False
        group, classic = state.consumer_groups.get(GROUP), state.groups.get(GROUP)
        if group is None:
            is_member = classic is not None and client.member_id in classic.members
            return is_member and classic is not None and client.epoch == classic.generation
        member = group.members.get(client.member_id)
        if member is None or member.member_epoch < 0:
            return False
        return isinstance(client, ConsumerClient) or client.epoch == member.member_epoch

    def check_commit(self, member_id: str, epoch: int, committed: set[tuple[bytes, int]]) -> None:
        """A commit was accepted: of a member, and of no epoch from before it got the partitions."""
        self.commits_accepted += 1
        group = self.driver.shard.state.consumer_groups.get(GROUP)
        if group is None:
            assert member_id in self.driver.group(GROUP).members
            return
        member = group.members[member_id]
        assert epoch <= member.member_epoch
        for topic_id, index in committed if epoch < member.member_epoch else ():
            since = member.epoch_of(topic_id, index)
            assert since is not None
            assert since <= epoch

    def observe(self) -> None:
        """After every request and timer."""
        self.driver.check_waiting()
        state = self.driver.shard.state
        group = state.consumer_groups.get(GROUP)
        assert not state.downgraded
        before, members_before = self._states
        if group is None:
            self._states = (None, {})
            if GROUP in state.groups:
                self.kinds_seen.add("classic")
            return
        assert GROUP not in state.groups
        self.kinds_seen.add("mixed" if 0 < group.classic_count < len(group.members) else "consumer")
        self.epoch_max = max(self.epoch_max, group.epoch)
        owners: dict[tuple[bytes, int], str] = {}
        for member in group.members.values():
            for held in (member.assigned, member.revoking):
                for topic_id, epochs in held.items():
                    for index, epoch in epochs.items():
                        assert owners.setdefault((topic_id, index), member.member_id) == member.member_id
                        assert group.owner_epoch(topic_id, index) == member.member_epoch
                        assert epoch <= max(member.member_epoch, 0) or member.is_classic
            assert member.member_epoch <= group.epoch
        assert group.assignment_epoch <= group.epoch
        assert set(group.static_members.values()) <= group.members.keys()
        assert group.targets.keys() <= group.members.keys()
        now = {member.member_id: member.state for member in group.members.values()}
        for member_id, became in now.items():
            was = members_before.get(member_id, became)
            assert was == became or (was, became) in _MEMBER_ARROWS, (was, became)
        if before is not None and before is not group.state:
            assert (before, group.state) in _GROUP_ARROWS, (before, group.state)
        self._states = (group.state, now)

    # What happens

    def add_client(self) -> None:
        self._named += 1
        instance_id = f"instance-{self.random.randrange(3)}" if self.random.random() < 0.3 else None
        name = f"client-{self._named}"
        client: Client
        if self.random.random() < self.classic_share:
            # A classic static member that came back with other topics would not be noticed by the group.
            topics = self._some_topics() if instance_id is None else ["t1", "t2"]
            client = ClassicClient(self, name, topics, instance_id)
        else:
            regex = self.random.choice(["t[12]", "t.*"]) if self.random.random() < 0.2 else None
            topics = [] if regex else self._some_topics() if instance_id is None else ["t1", "t2"]
            assignor = self.random.choice([None, None, "range", "uniform"])
            client = ConsumerClient(self, name, topics, instance_id, regex, assignor)
        self.clients.append(client)
        self._schedule_beats(client)
        client.beat()

    def _some_topics(self) -> list[str]:
        return ["t1", "t2", "t3"][self.random.randrange(2) :] if self.random.random() < 0.5 else ["t1"]

    def _schedule_beats(self, client: Client) -> None:
        def beat() -> None:
            if client.is_alive:
                if self.driver.now_ms >= client.paused_until_ms:
                    client.beat()
                self.later(HEARTBEAT_MS, beat)

        self.later(HEARTBEAT_MS, beat)

    def disturb(self) -> None:
        """One thing that happens to a real group."""
        self.clients = alive = [client for client in self.clients if client.is_alive]
        if len(alive) < 2 or (len(alive) < 7 and self.random.random() < 0.25):
            self.add_client()
            return
        client = self.random.choice(alive)
        what = self.random.random()
        if what < 0.10:
            client.is_alive = False
        elif what < 0.22 and client.member_id:
            client.leave()
        elif what < 0.32:
            client.paused_until_ms = self.driver.now_ms + self.random.randrange(12_000)
        elif what < 0.40 and client.instance_id is None:
            client.subscribe(self._some_topics())
        elif what < 0.44:
            self._restart()
        elif what < 0.48:
            self.driver.check_replay()
        elif what < 0.54:
            self._change_topics()
        elif client.owned:
            stale = self.random.random() < 0.4
            client.commit(client.epoch - stale * self.random.randrange(1, 3))

    def _change_topics(self) -> None:
        topics = {topic.name: topic for topic in self.cluster.topics()}
        if "t3" not in topics:
            self.cluster.create("t3", 2)
        elif self.random.random() < 0.4 or topics["t3"].partition_count >= _TOPICS_MAX:
            self.cluster.delete("t3")
        else:
            self.cluster.grow("t3", topics["t3"].partition_count + 1)
        self.driver.shard.on_topics_changed({"t3"})

    def _restart(self) -> None:
        """The coordinator crashes; everybody hears that the connection is gone."""
        self.incarnation += 1
        lost, self.lost_on_restart = self.lost_on_restart, []
        self.driver.restart()
        for lose in lost:
            lose()
        self._states = (None, {})
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
        """Everybody behaves: within a bounded time every partition is owned, and so it stays."""
        self.is_fair = True
        drained_ms = self.driver.now_ms + 2 * _DELAY_MS_MAX  # what the dead sent arrives first
        while self.driver.now_ms < drained_ms:
            self.step()
        end_ms = self.driver.now_ms + seconds * 1_000
        while not self.is_settled():
            assert self.driver.now_ms < end_ms, self._why_not()
            self.step()
        epochs, quiet_ms = self._epochs(), self.driver.now_ms + 2 * SESSION_MS
        while self.driver.now_ms < quiet_ms:
            self.step()
        assert self.is_settled(), self._why_not()
        assert self._epochs() == epochs

    def _epochs(self) -> tuple[int, int]:
        state = self.driver.shard.state
        group, classic = state.consumer_groups.get(GROUP), state.groups.get(GROUP)
        return (-1 if group is None else group.epoch, -1 if classic is None else classic.generation)

    def _why_not(self) -> str:
        state = self.driver.shard.state
        owned = {each.name: (each.epoch, each.owned) for each in self.clients if each.is_alive}
        return f"{state.consumer_groups.get(GROUP)} {state.groups.get(GROUP)} {owned}"

    def is_settled(self) -> bool:
        """Whether all who are alive are members, and have between them all that they subscribe to."""
        alive = [client for client in self.clients if client.is_alive]
        state = self.driver.shard.state
        group, classic = state.consumer_groups.get(GROUP), state.groups.get(GROUP)
        members: set[str] = set()
        if group is not None:
            if group.state not in (ConsumerState.STABLE, ConsumerState.EMPTY):
                return False
            members = set(group.members)
        elif classic is not None:
            if classic.state not in (ClassicState.STABLE, ClassicState.EMPTY):
                return False
            members = set(classic.members)
        if members != {client.member_id for client in alive}:
            return False
        if any(isinstance(client, ClassicClient) and not client.has_part for client in alive):
            return False
        owned = sorted(partition for client in alive for partition in client.owned)
        return owned == sorted(
            (topic.topic_id, index)
            for topic in self.cluster.topics()
            if any(self._subscribes(client, topic.name) for client in alive)
            for index in range(topic.partition_count)
        )

    @staticmethod
    def _subscribes(client: Client, topic: str) -> bool:
        regex = client.regex if isinstance(client, ConsumerClient) else None
        by_regex = regex == "t.*" or (regex == "t[12]" and topic in ("t1", "t2"))
        return topic in client.topics or by_regex
