"""Simulated consumers of both protocols, whose requests and answers take their time.

They behave as Kafka's clients do: what they are told to give up they give up after a while, and say so; who
is fenced or unknown drops all and joins again. Requests of one client arrive in the order in which it sent
them; between clients there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from kstream.errors import ErrorCode
from kstream.groups.commit import commit_offsets
from kstream.groups.consumer.heartbeat import check_request
from kstream.groups.consumer.heartbeat import heartbeat as consumer_heartbeat
from kstream.groups.heartbeat import heartbeat, leave_group
from kstream.groups.join import join_group
from kstream.groups.settings import Caller
from kstream.groups.sync import sync_group
from kstream.wire.codec import decode
from kstream.wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest, TopicPartitions
from kstream.wire.messages.consumer_protocol import ConsumerProtocolSubscription
from kstream.wire.messages.heartbeat import HeartbeatRequest
from kstream.wire.messages.join_group import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponseMember,
)
from kstream.wire.messages.leave_group import LeaveGroupRequest, MemberIdentity
from kstream.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kstream.wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from tests.groups.consumer.bench import GROUP
from tests.groups.consumer.classic import Owned, assignment, read_assignment, subscription

if TYPE_CHECKING:
    from tests.groups.consumer.simulated import World

SESSION_MS = 6_000
REBALANCE_MS = 8_000


class Client(Protocol):
    """One consumer process. After a crash nothing of it does anything any more."""

    member_id: str
    instance_id: str | None
    topics: list[str]
    owned: set[tuple[bytes, int]]
    epoch: int
    is_alive: bool
    paused_until_ms: int
    last_arrival_ms: int

    def beat(self) -> None: ...

    def leave(self) -> None: ...

    def commit(self, epoch: int) -> None: ...

    def subscribe(self, topics: list[str]) -> None: ...


class _Process:
    """What processes of both kinds have."""

    def __init__(self, world: World, name: str, topics: list[str], instance_id: str | None) -> None:
        self.world = world
        self.name = name
        self.member_id = ""
        self.instance_id = instance_id
        self.topics = topics
        self.owned: set[tuple[bytes, int]] = set()
        """Topic ids and partitions that it believes to have."""
        self.epoch = 0
        self.is_alive = True
        self.is_busy = False
        self.attempt = 0
        self.paused_until_ms = 0
        self.last_arrival_ms = 0

    @property
    def caller(self) -> Caller:
        return Caller(self.name, "/127.0.0.1", 10)

    def send(
        self, operation: Callable[..., Any], on_answer: Callable[[Any], None], on_lost: Callable[[], None]
    ) -> None:
        """One request at a time; an answer to what it gave up waiting for is not heard."""
        self.attempt += 1
        attempt = self.attempt
        self.is_busy = True

        def deliver(response: Any) -> None:
            if self.is_alive and attempt == self.attempt:
                self.is_busy = False
                on_answer(response)

        def lose() -> None:
            if self.is_alive and attempt == self.attempt:
                self.is_busy = False
                on_lost()

        self.world.request(self, operation, deliver, lose)

    def commit(self, epoch: int) -> None:
        """Commit what it has, perhaps in the name of an epoch that is over."""
        names: dict[bytes, list[int]] = {}
        for topic_id, index in sorted(self.owned):
            names.setdefault(topic_id, []).append(index)
        request = OffsetCommitRequest(
            group_id=GROUP,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            generation_id_or_member_epoch=epoch,
            topics=[
                OffsetCommitRequestTopic(
                    name=self.world.cluster.names[topic_id],
                    topic_id=topic_id,
                    partitions=[
                        OffsetCommitRequestPartition(partition_index=index, committed_offset=epoch)
                        for index in indexes
                    ],
                )
                for topic_id, indexes in names.items()
            ],
        )
        world, member_id, committed = self.world, self.member_id, set(self.owned)

        def operation(shard: Any, now_ms: int, token: Any) -> Any:
            outcome = commit_offsets(shard.state, request, self.caller, token, now_ms)
            world.check_commit(member_id, epoch, committed)
            return outcome

        self.world.request(self, operation, lambda response: None, lambda: None)


class ConsumerClient(_Process):
    """One that speaks KIP-848, and chooses its member id itself."""

    def __init__(
        self,
        world: World,
        name: str,
        topics: list[str],
        instance_id: str | None,
        regex: str | None,
        assignor: str | None,
    ) -> None:
        super().__init__(world, name, topics, instance_id)
        self.member_id = name
        self.regex = regex
        self.assignor = assignor
        self.wanted: set[tuple[bytes, int]] | None = None
        """The assignment that it is on its way to; None once it has it."""
        self.must_say_all = True

    def beat(self) -> None:
        if self.is_busy:
            return
        is_joining = self.epoch == 0
        request = ConsumerGroupHeartbeatRequest(
            group_id=GROUP, member_id=self.member_id, member_epoch=self.epoch, instance_id=self.instance_id
        )
        if is_joining or self.must_say_all:
            request.rebalance_timeout_ms = REBALANCE_MS
            request.subscribed_topic_names = self.topics
            request.subscribed_topic_regex = self.regex
            request.server_assignor = self.assignor
        if is_joining or self.must_say_all or self.wanted is not None or self.world.random.random() < 0.3:
            request.topic_partitions = self._owned()
        self.must_say_all = False
        check_request(request, 1, ("uniform", "range"))
        self.send(
            lambda shard, now_ms, token: consumer_heartbeat(shard.state, request, self.caller, token, now_ms),
            self._on_answer,
            self._on_lost,
        )

    def _owned(self) -> list[TopicPartitions]:
        topics: dict[bytes, list[int]] = {}
        for topic_id, index in sorted(self.owned):
            topics.setdefault(topic_id, []).append(index)
        return [TopicPartitions(topic_id=topic_id, partitions=each) for topic_id, each in topics.items()]

    def _on_lost(self) -> None:
        self.must_say_all = True

    def _on_answer(self, response: Any) -> None:
        if isinstance(response, ErrorCode):
            self._on_error(response)
            return
        self.epoch = response.member_epoch
        if response.assignment is None:
            return
        told = {
            (topic.topic_id, index)
            for topic in response.assignment.topic_partitions
            for index in topic.partitions
        }
        self.wanted = told
        delay_ms = self.world.random.randrange(2_500)  # its listener's onPartitionsRevoked
        attempt_wanted = told
        self.world.later(delay_ms if self.owned - told else 0, lambda: self._reach(attempt_wanted))

    def _reach(self, told: set[tuple[bytes, int]]) -> None:
        if self.is_alive and self.wanted is told:
            self.owned = set(told)
            self.wanted = None
            self.world.check_owners()
            if not self.is_busy and self.world.random.random() < 0.8:
                self._confirm()

    def _confirm(self) -> None:
        """A heartbeat at once, to say that it has given up."""
        self.wanted = set(self.owned)
        self.beat()
        self.wanted = None

    def _on_error(self, code: ErrorCode) -> None:
        if code is ErrorCode.FENCED_INSTANCE_ID:
            self.is_alive = False  # another process has its place: fatal for it, as in Kafka's clients
            return
        assert code in (
            ErrorCode.UNKNOWN_MEMBER_ID,
            ErrorCode.FENCED_MEMBER_EPOCH,
            ErrorCode.GROUP_ID_NOT_FOUND,
            ErrorCode.UNRELEASED_INSTANCE_ID,
        ), code
        self.owned = set()
        self.wanted = None
        self.epoch = 0
        if code is ErrorCode.UNRELEASED_INSTANCE_ID and self.world.is_instance_alive(self):
            self.is_alive = False  # two processes have one instance id: fatal for the second

    def subscribe(self, topics: list[str]) -> None:
        self.topics = topics
        self.must_say_all = True

    def leave(self) -> None:
        epoch = -2 if self.instance_id is not None and self.world.random.random() < 0.6 else -1
        request = ConsumerGroupHeartbeatRequest(
            group_id=GROUP, member_id=self.member_id, member_epoch=epoch, instance_id=self.instance_id
        )
        self.is_alive = False
        self.owned = set()
        self.world.request(
            self,
            lambda shard, now_ms, token: consumer_heartbeat(shard.state, request, self.caller, token, now_ms),
            lambda response: None,
            lambda: None,
        )


class ClassicClient(_Process):
    """One that speaks the classic protocol, eager or cooperative as all of its world."""

    def __init__(self, world: World, name: str, topics: list[str], instance_id: str | None) -> None:
        super().__init__(world, name, topics, instance_id)
        self.epoch = -1
        self.has_part = False
        self.seen_version = -1
        self.is_leader = False

    def beat(self) -> None:
        if self.is_busy:
            return
        if not self.has_part or (self.is_leader and self.seen_version != self.world.cluster.version):
            self._join()
            return
        request = HeartbeatRequest(
            group_id=GROUP,
            generation_id=self.epoch,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
        )
        self.send(
            lambda shard, now_ms, token: heartbeat(shard.state, request, token), self._on_beat, lambda: None
        )

    def _on_beat(self, response: Any) -> None:
        self._on_error(ErrorCode(response.error_code))

    def _names(self) -> Owned:
        return {(self.world.cluster.names[topic_id], index) for topic_id, index in self.owned}

    def _join(self) -> None:
        if not self.world.is_cooperative:
            self.owned = set()
        self.has_part = False
        request = JoinGroupRequest(
            group_id=GROUP,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            session_timeout_ms=SESSION_MS,
            rebalance_timeout_ms=REBALANCE_MS,
            protocol_type="consumer",
            protocols=[
                JoinGroupRequestProtocol(name="range", metadata=subscription(self.topics, self._names()))
            ],
        )
        caller = Caller(self.name, "/127.0.0.1", 9)
        self.send(
            lambda shard, now_ms, token: join_group(shard.state, request, caller, token, now_ms),
            self._on_joined,
            lambda: None,
        )

    def _on_joined(self, response: Any) -> None:
        if response.error_code == ErrorCode.MEMBER_ID_REQUIRED:
            self.member_id = response.member_id
            self._join()
            return
        if response.error_code:
            self._on_error(ErrorCode(response.error_code))
            return
        self.member_id, self.epoch = response.member_id, response.generation_id
        self.is_leader = response.leader == self.member_id
        self.seen_version = self.world.cluster.version
        shares: dict[str, Owned] = {}
        if self.is_leader and not response.skip_assignment:
            shares = self._assign(response.members)
        request = SyncGroupRequest(
            group_id=GROUP,
            generation_id=self.epoch,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            protocol_type="consumer",
            protocol_name="range",
            assignments=[
                SyncGroupRequestAssignment(member_id=name, assignment=assignment(share))
                for name, share in shares.items()
            ],
        )
        self.send(
            lambda shard, now_ms, token: sync_group(shard.state, request, self.caller, token, now_ms),
            self._on_synced,
            lambda: None,
        )

    def _assign(self, members: list[JoinGroupResponseMember]) -> dict[str, Owned]:
        """In turn to who subscribes; what somebody else still has is given out the next time."""
        subscriptions = {
            member.member_id: decode(ConsumerProtocolSubscription, bytes(member.metadata), 1, offset=2)
            for member in members
        }
        owners = {
            (topic.topic, index): name
            for name, each in subscriptions.items()
            for topic in each.owned_partitions
            for index in topic.partitions
        }
        shares: dict[str, Owned] = {name: set() for name in subscriptions}
        for topic in self.world.cluster.topics():
            takers = sorted(name for name, each in subscriptions.items() if topic.name in each.topics)
            for index in range(topic.partition_count if takers else 0):
                taker = takers[index % len(takers)]
                if owners.get((topic.name, index), taker) == taker:
                    shares[taker].add((topic.name, index))
        return shares

    def _on_synced(self, response: Any) -> None:
        if response.error_code:
            self._on_error(ErrorCode(response.error_code))
            return
        told = set()
        for name, index in read_assignment(response.assignment):
            topic = self.world.cluster.topic_named(name)
            if topic is not None:
                told.add((topic.topic_id, index))
        lost = self.owned - told
        self.has_part = True
        self.owned = told
        self.world.check_owners()
        if lost and self.world.is_cooperative:
            self._join()

    def _on_error(self, code: ErrorCode) -> None:
        if code is ErrorCode.NONE:
            return
        if code is ErrorCode.FENCED_INSTANCE_ID:
            self.is_alive = False
            return
        assert code in (
            ErrorCode.UNKNOWN_MEMBER_ID,
            ErrorCode.ILLEGAL_GENERATION,
            ErrorCode.REBALANCE_IN_PROGRESS,
        ), code
        self.has_part = False
        if code is not ErrorCode.REBALANCE_IN_PROGRESS:
            self.owned = set()
        if code is ErrorCode.UNKNOWN_MEMBER_ID:
            self.member_id = ""
            self.epoch = -1

    def subscribe(self, topics: list[str]) -> None:
        self.topics = topics
        if not self.is_busy:
            self._join()

    def leave(self) -> None:
        self.is_alive = False
        self.owned = set()
        identity = MemberIdentity(member_id=self.member_id, group_instance_id=self.instance_id)
        request = LeaveGroupRequest(group_id=GROUP, members=[identity])
        self.world.request(
            self,
            lambda shard, now_ms, token: leave_group(shard.state, request, self.caller, token, now_ms),
            lambda response: None,
            lambda: None,
        )
