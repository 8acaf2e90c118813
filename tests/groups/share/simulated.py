"""A world of simulated share consumers, with topics that change, operators, a coordinator that restarts and
share states that live elsewhere, in an order that a seed decides; and what must hold in it, always.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from kstream.coordinator.outcome import Outcome
from kstream.errors import ApiError, ErrorCode
from kstream.groups.describe import delete_group
from kstream.groups.settings import Caller, GroupSettings, ShareSettings
from kstream.groups.share import offsets
from kstream.groups.share.heartbeat import Deferred, check_request, heartbeat
from kstream.groups.share.initializing import (
    UNINITIALIZED,
    InitializeStates,
    forget_topics,
    initialized,
    not_initialized,
    still_wanted,
)
from kstream.groups.share.states import GROUP_TRANSITIONS, ShareState
from kstream.wire.messages.alter_share_group_offsets import (
    AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsRequestPartition,
    AlterShareGroupOffsetsRequestTopic,
)
from kstream.wire.messages.share_group_heartbeat import ShareGroupHeartbeatRequest
from tests.groups.consumer.fake_cluster import FakeCluster
from tests.groups.driver import Agenda, Driver
from tests.groups.share.bench import GROUP

SESSION_MS = 6_000
HEARTBEAT_MS = 1_000
_DELAY_MS_MAX = 10_000
_TOPICS_MAX = 4
_ARROWS = {(each.source, each.target) for each in GROUP_TRANSITIONS}

Partition = tuple[bytes, int]
Step = Callable[[], "Step | None"]
"""Part of a job; the next part comes later."""


class Client:
    """One consumer process, which behaves as Kafka's share consumer does."""

    def __init__(self, world: World, name: str, topics: list[str]) -> None:
        self.world = world
        self.name = name
        self.topics = topics
        self.held: set[Partition] = set()
        self.epoch = 0
        self.is_alive = True
        self.is_busy = False
        self.must_say_topics = True
        self.paused_until_ms = 0

    def beat(self, epoch: int | None = None) -> None:
        """One request at a time."""
        if self.is_busy and epoch is None:
            return
        self.is_busy = True
        says_all = self.must_say_topics or self.epoch == 0
        request = ShareGroupHeartbeatRequest(
            group_id=GROUP,
            member_id=self.name,
            member_epoch=self.epoch if epoch is None else epoch,
            subscribed_topic_names=list(self.topics) if says_all else None,
        )
        check_request(request)
        caller = Caller(self.name, "/127.0.0.1", 1)
        self.must_say_topics = False
        defers = self.world.random.random() < 0.5
        self.world.request(
            lambda shard, now_ms, token: heartbeat(
                shard.state, request, caller, token, now_ms, defers=defers
            ),
            self._hear,
            self._miss,
        )

    def _hear(self, answer: Any) -> None:
        self.is_busy = False
        if not self.is_alive:
            return
        if isinstance(answer, ErrorCode):
            # Fenced or unknown: it gives all up and joins again.
            self.epoch, self.held = 0, set()
            return
        if isinstance(answer, Deferred):
            answer = answer.response
            self.world.seen.add("deferred")
        self.epoch = answer.member_epoch
        if answer.assignment is not None:
            self.held = {
                (topic.topic_id, index)
                for topic in answer.assignment.topic_partitions
                for index in topic.partitions
            }

    def _miss(self) -> None:
        self.is_busy = False
        self.must_say_topics = True

    def leave(self) -> None:
        self.is_alive = False
        self.beat(-1)


class World:
    """Coordinator, network, topics, clients, and the share states of the group."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.cluster = FakeCluster(t1=3, t2=2)
        self.cluster.sharing = self.cluster.sharing._replace(
            session_timeout_ms=SESSION_MS, assignment_interval_ms=(1_000, 0, 3_000)[seed % 3]
        )
        share = ShareSettings(max_size=6, initialize_retry_interval_ms=4_000)
        self.driver = Driver(GroupSettings(share=share), self.cluster)
        self.agenda = Agenda()
        self.clients: list[Client] = []
        self.states: dict[Partition, int] = {}
        """Start offsets of the share states that there are."""
        self.jobs: list[Step] = []
        """What is to be done to states, one thing at a time, as the broker does it."""
        self.incarnation = 0
        self.lost_on_restart: list[Callable[[], None]] = []
        self.is_fair = False
        self.seen: set[str] = set()
        self._state: ShareState | None = None
        self._named = 0

    # The network

    def later(self, delay_ms: int, action: Callable[[], None]) -> None:
        self.agenda.at(self.driver.now_ms + delay_ms, action)

    def request(
        self, operation: Callable[..., Any], deliver: Callable[[Any], None], lose: Callable[[], None]
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
                answer: Any = self.driver.ask(operation)
            except ApiError as error:
                self.seen.add(error.code.name)
                answer = error.code
            self.observe()
            self.later(self._delay_ms(), lambda: arrive_back(answer))

        def arrive_back(answer: Any) -> None:
            if incarnation == self.incarnation:
                self.lost_on_restart.remove(lose)
                deliver(answer)

        self.later(self._delay_ms(), arrive)

    def _delay_ms(self) -> int:
        if self.random.random() < 0.02 and not self.is_fair:
            return self.random.randrange(_DELAY_MS_MAX)
        return self.random.randrange(60)

    # States, as `kstream.broker.share_groups` has them changed

    def do(self, job: Step) -> None:
        self.jobs.append(job)
        if len(self.jobs) == 1:
            self._next_step(job)

    def _next_step(self, step: Step) -> None:
        incarnation = self.incarnation

        def take() -> None:
            if incarnation != self.incarnation:
                return
            following = step()
            self.observe()
            if following is not None:
                self._next_step(following)
                return
            self.jobs.pop(0)
            if self.jobs:
                self._next_step(self.jobs[0])

        self.later(self._delay_ms(), take)

    def _fails(self) -> bool:
        return not self.is_fair and self.random.random() < 0.15

    def _initialize(self, effect: InitializeStates) -> Step | None:
        state = self.driver.shard.state
        wanted = still_wanted(state, effect)
        if not wanted.start_offsets:
            return None

        def initialize() -> Step | None:
            if self._fails():
                self.seen.add("initialization failed")
                return lambda: not_initialized(state, GROUP, wanted.start_offsets)
            for topic_id, starts in wanted.start_offsets.items():
                if self.cluster.topic_identified(topic_id) is not None:
                    self.states.update({(topic_id, index): start for index, start in starts.items()})
            return lambda: self._carry_out(initialized(state, GROUP, wanted.start_offsets))

        return initialize

    def _carry_out(self, outcome: Outcome) -> None:
        self.driver.carry_out(outcome)

    def _move(self) -> Step | None:
        name = self.random.choice([topic.name for topic in self.cluster.topics()])
        partitions = [AlterShareGroupOffsetsRequestPartition(partition_index=0, start_offset=7)]
        request = AlterShareGroupOffsetsRequest(
            group_id=GROUP,
            topics=[AlterShareGroupOffsetsRequestTopic(topic_name=name, partitions=partitions)],
        )
        plan = self._asked(
            lambda shard, now_ms, token: offsets.alter_offsets(shard.state, request, token, now_ms)
        )
        if plan is None:
            return None
        self.seen.add("moved")
        return lambda: self._initialize(plan.states)

    def _forget(self) -> Step | None:
        names = [topic.name for topic in self.cluster.topics()]
        plan = self._asked(
            lambda shard, now_ms, token: offsets.delete_offsets(shard.state, GROUP, names, token)
        )
        if plan is None or not plan.states:
            return None

        def delete() -> Step | None:
            if self._fails():
                return None
            self.seen.add("forgotten")
            self._drop({topic_id: part.partitions for topic_id, part in plan.states.items()})
            gone = list(plan.states)
            return lambda: self._done(
                lambda shard, now_ms, token: offsets.offsets_deleted(shard.state, GROUP, gone, token)
            )

        return delete

    def _delete(self) -> Step | None:
        states = self._asked(lambda shard, now_ms, token: offsets.begin_deletion(shard.state, GROUP, token))
        if states is None:
            return None

        def delete() -> Step | None:
            if self._fails():
                return None
            self._drop({topic_id: part.partitions for topic_id, part in states.items()})
            return lambda: self._done(lambda shard, now_ms, token: delete_group(shard.state, GROUP, token))

        return delete

    def _asked(self, operation: Callable[..., Any]) -> Any:
        """The answer, None for an error."""
        try:
            return self.driver.ask(operation)
        except ApiError as error:
            self.seen.add(error.code.name)
            return None

    def _done(self, operation: Callable[..., Any]) -> None:
        had = GROUP in self.driver.shard.state.share_groups
        self._asked(operation)
        if had and GROUP not in self.driver.shard.state.share_groups:
            self.seen.add("deleted")
            assert not self.states, "a group that is gone leaves no states"

    def _drop(self, topics: Mapping[bytes, Any]) -> None:
        for topic_id, indexes in topics.items():
            for index in indexes:
                self.states.pop((topic_id, index), None)

    # What must hold

    def observe(self) -> None:
        """After every request, timer and step."""
        effects, self.driver.effects = self.driver.effects, []
        for effect in effects:
            assert isinstance(effect, InitializeStates)
            self.do(lambda effect=effect: self._initialize(effect))  # type: ignore[misc]
        state = self.driver.shard.state
        group = state.share_groups.get(GROUP)
        assert GROUP not in state.groups
        became = None if group is None else group.state
        if self._state is not None and became is not None and became is not self._state:
            assert (self._state, became) in _ARROWS
        self._state = became
        if group is None:
            return
        assert group.assignment_epoch <= group.epoch
        assert group.targets.keys() <= group.members.keys()
        assert group.topic_names() == {name for each in group.members.values() for name in each.topic_names}
        partitions = group.partitions
        handed_out = {
            (topic_id, index)
            for member in group.members.values()
            for held in (group.target_of(member.member_id), member.assigned)
            for topic_id, indexes in held.items()
            for index in indexes
            if self.cluster.topic_identified(topic_id) is not None
        }
        known = {
            (topic_id, index)
            for topic_id, part in (partitions.initialized if partitions else {}).items()
            for index in part.partitions
        }
        assert handed_out <= known, "members get what is initialized, and nothing else"
        there = {each for each in known if self.cluster.topic_identified(each[0]) is not None}
        assert there <= self.states.keys(), "what is written down as initialized is so"
        for member in group.members.values():
            assert member.previous_epoch <= member.member_epoch <= group.epoch

    # What happens

    def add_client(self) -> None:
        self._named += 1
        client = Client(self, f"client-{self._named}", self._some_topics())
        self.clients.append(client)

        def beat() -> None:
            if client.is_alive:
                if self.driver.now_ms >= client.paused_until_ms:
                    client.beat()
                self.later(HEARTBEAT_MS, beat)

        beat()

    def _some_topics(self) -> list[str]:
        return self.random.choice([["t1"], ["t1", "t2"], ["t2", "t3"], ["t1", "t2", "t3"]])

    def disturb(self) -> None:
        """One thing that happens to a real group."""
        self.clients = alive = [client for client in self.clients if client.is_alive]
        what = self.random.random()
        if what < 0.05:
            # An operator has something to do once nobody is there.
            for client in alive:
                client.leave()
            job = self.random.choice([self._move, self._forget, self._delete, self._delete])
            self.later(200 + self._delay_ms(), lambda: self.do(job))
        elif what < 0.10:
            self.do(self.random.choice([self._move, self._forget, self._delete]))
        elif what < 0.14:
            self._restart()
        elif what < 0.18:
            self.driver.check_replay()
        elif what < 0.28:
            self._change_topics()
        elif len(alive) < 2 or (len(alive) < 8 and what < 0.5):
            self.add_client()
        else:
            client = self.random.choice(alive)
            if what < 0.6:
                client.is_alive = False
            elif what < 0.7:
                client.leave()
            elif what < 0.8:
                client.paused_until_ms = self.driver.now_ms + self.random.randrange(12_000)
            else:
                client.topics = self._some_topics()
                client.must_say_topics = True

    def _change_topics(self) -> None:
        topics = {topic.name: topic for topic in self.cluster.topics()}
        if "t3" not in topics:
            self.cluster.create("t3", 2)
        elif self.random.random() < 0.4 or topics["t3"].partition_count >= _TOPICS_MAX:
            topic_id = topics["t3"].topic_id
            self.cluster.delete("t3")
            # The other coordinator forgets its states by itself.
            self._drop({topic_id: range(_TOPICS_MAX + 1)})
            self.later(self._delay_ms(), lambda: self._forget_topic(topic_id))
        else:
            self.cluster.grow("t3", topics["t3"].partition_count + 1)
        self.driver.shard.on_topics_changed({"t3"})

    def _forget_topic(self, topic_id: bytes) -> None:
        out = Outcome()
        forget_topics(self.driver.shard.state, {topic_id}, out)
        self.driver.carry_out(out)
        self.observe()

    def _restart(self) -> None:
        """The coordinator crashes; everybody hears that the connection is gone, and jobs are not finished."""
        self.incarnation += 1
        self.jobs.clear()
        lost, self.lost_on_restart = self.lost_on_restart, []
        self.driver.restart()
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
        driver.now_ms = max(driver.now_ms, min(due_ms, default=driver.now_ms + 100))
        for action in self.agenda.pop_due(driver.now_ms):
            action()
        driver.run_timers()
        self.observe()

    def settle(self, seconds: int = 120) -> None:
        """Everybody behaves: within a bounded time all that is subscribed to is consumed, and so it stays."""
        self.is_fair = True
        drained_ms = self.driver.now_ms + 2 * _DELAY_MS_MAX  # what the dead sent arrives first
        while self.driver.now_ms < drained_ms:
            self.step()
        end_ms = self.driver.now_ms + seconds * 1_000
        while not self.is_settled():
            assert self.driver.now_ms < end_ms, self._why_not()
            self.step()
        epoch, quiet_ms = self._epoch(), self.driver.now_ms + 2 * SESSION_MS
        while self.driver.now_ms < quiet_ms:
            self.step()
        assert self.is_settled(), self._why_not()
        assert self._epoch() == epoch

    def _epoch(self) -> int:
        group = self.driver.shard.state.share_groups.get(GROUP)
        return -1 if group is None else group.epoch

    def _why_not(self) -> str:
        group = self.driver.shard.state.share_groups.get(GROUP)
        held = {each.name: (each.epoch, each.topics, each.held) for each in self.clients if each.is_alive}
        return f"{group} {None if group is None else group.partitions} {held}"

    def is_settled(self) -> bool:
        """Whether those who are alive are members as far as there is room, and consume all they subscribe to
        between them.
        """
        alive = [client for client in self.clients if client.is_alive]
        group = self.driver.shard.state.share_groups.get(GROUP)
        members = {} if group is None else group.members
        if len(members) != min(len(alive), self.driver.settings.share.max_size):
            return False
        inside = [client for client in alive if client.name in members]
        if len(inside) != len(members):
            return False
        wanted = {
            (topic.topic_id, index)
            for topic in self.cluster.topics()
            for index in range(topic.partition_count)
            if any(topic.name in client.topics for client in inside)
        }
        return {each for client in inside for each in client.held} == wanted


def first_offsets(world: World) -> set[int]:
    """Where states began: at what the group's configuration says, at an operator's word, or at 0."""
    return set(world.states.values()) - {UNINITIALIZED, 0, 7}
