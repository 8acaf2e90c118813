"""Members of groups without a client library: a connection each, and requests as libraries send them."""

from __future__ import annotations

import struct
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Any, Self

from kstream.errors import ErrorCode
from kstream.testing.client import WireClient
from kstream.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.messages.heartbeat import HeartbeatRequest
from kstream.wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from kstream.wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment

PARTITIONS = 1_000
_TIMEOUT_S = 60.0
_SUBSCRIPTION = struct.pack(">hih6sii", 1, 1, 6, b"orders", -1, 0)

Frames = list[tuple[WireClient, bytes]]
"""Requests ready to be sent, each with the connection that it goes over."""


class Group:
    """What groups of both protocols share. A context manager; the members' sessions end by themselves."""

    def __init__(self, address: tuple[str, int], count: int) -> None:
        self._stack = ExitStack()
        self.group_id = f"bench-{uuid.uuid4().hex[:8]}"
        self.clients = [
            self._stack.enter_context(WireClient(*address, timeout_s=_TIMEOUT_S)) for _ in range(count)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def find(self) -> None:
        """Wait until the group has a coordinator that has loaded what it has."""
        client = self.clients[0]
        wanted = FindCoordinatorRequest(coordinator_keys=[self.group_id])
        until(lambda: client.request(wanted, 4).coordinators[0].error_code == 0)
        nobody = HeartbeatRequest(group_id=self.group_id, generation_id=0, member_id="nobody")
        until(lambda: client.request(nobody, 4).error_code == ErrorCode.UNKNOWN_MEMBER_ID)


class ClassicGroup(Group):
    """A group of the classic protocol. `members` are their ids."""

    def __init__(self, address: tuple[str, int], count: int) -> None:
        super().__init__(address, count)
        self.members = [""] * count
        self.generation = -1

    def gather(self) -> float:
        """Let all join and sync; how long it took from the last join until the last has its partitions, in
        seconds.
        """
        self.find()
        for index, client in enumerate(self.clients):
            self.members[index] = client.request(self._join(index), 7).member_id
        # The first alone, so that it leads; then all the others at once make it join again.
        first = self.clients[0].request(self._join(0), 7)
        self._sync([0], first)
        for index in range(1, len(self.clients)):
            self.clients[index].send(self._join(index), 7)
        beat = self._beat(0, first.generation_id)
        until(lambda: self.clients[0].request(beat, 4).error_code == ErrorCode.REBALANCE_IN_PROGRESS)
        began_s = time.perf_counter()
        self.clients[0].send(self._join(0), 7)
        joined = [client.receive() for client in self.clients]
        self._sync(range(len(self.clients)), joined[0])
        self.generation = joined[0].generation_id
        return time.perf_counter() - began_s

    def beat(self) -> None:
        """One heartbeat of each member."""
        for index, client in enumerate(self.clients):
            client.send(self._beat(index, self.generation), 4)
        for client in self.clients:
            _check(client.receive())

    def _sync(self, indexes: Any, joined: JoinGroupResponse) -> None:
        share = PARTITIONS // len(self.clients)
        assignments = [
            SyncGroupRequestAssignment(member_id=member_id, assignment=_assignment(number * share, share))
            for number, member_id in enumerate(self.members)
        ]
        for index in indexes:
            is_leader = self.members[index] == joined.leader
            request = SyncGroupRequest(
                group_id=self.group_id,
                generation_id=joined.generation_id,
                member_id=self.members[index],
                protocol_type="consumer",
                protocol_name="range",
                assignments=assignments if is_leader else [],
            )
            self.clients[index].send(request, 5)
        for index in indexes:
            _check(self.clients[index].receive())

    def _join(self, index: int) -> JoinGroupRequest:
        return JoinGroupRequest(
            group_id=self.group_id,
            member_id=self.members[index],
            session_timeout_ms=45_000,
            rebalance_timeout_ms=60_000,
            protocol_type="consumer",
            protocols=[JoinGroupRequestProtocol(name="range", metadata=_SUBSCRIPTION)],
        )

    def _beat(self, index: int, generation: int) -> HeartbeatRequest:
        return HeartbeatRequest(
            group_id=self.group_id, generation_id=generation, member_id=self.members[index]
        )

    def frames(self) -> Frames:
        """A heartbeat of each member, to be sent again and again."""
        return [
            (client, client.frame(self._beat(index, self.generation), 4, 1))
            for index, client in enumerate(self.clients)
        ]


class ConsumerGroup(Group):
    """A group of KIP-848, all of whose members read one topic."""

    def __init__(self, address: tuple[str, int], count: int, topic: str) -> None:
        super().__init__(address, count)
        self._topic = topic
        self._members = [ConsumerMember(self.group_id) for _ in range(count)]

    def gather(self, indexes: Sequence[int]) -> None:
        """Let these join, and all who are in reconcile until they have all partitions between them."""
        self.find()
        self._beat(indexes, lambda member: member.joining(self._topic))
        until(lambda: self._round() == PARTITIONS and all(self._members[index].held for index in indexes))

    def join_last(self) -> tuple[float, int]:
        """Let the last one join a settled group, and all reconcile: seconds, and rounds of heartbeats.

        Nobody waits for its next heartbeat: who has an answer sends the next one.
        """
        began_s = time.perf_counter()
        last = len(self.clients) - 1
        self._beat([last], lambda member: member.joining(self._topic))
        rounds = 1
        while self._round() != PARTITIONS or not all(member.held for member in self._members):
            rounds += 1
        return time.perf_counter() - began_s, rounds

    def frames(self) -> Frames:
        """A heartbeat of each member, to be sent again and again."""
        return [
            (client, client.frame(member.beating(), 1, 1))
            for client, member in zip(self.clients, self._members, strict=True)
        ]

    def _round(self) -> int:
        """A heartbeat of each member that is in; how many partitions they have after it."""
        self._beat([i for i, member in enumerate(self._members) if member.epoch > 0], ConsumerMember.beating)
        return sum(map(len, (each for member in self._members for each in member.held.values())))

    def _beat(
        self, indexes: Iterable[int], request: Callable[[ConsumerMember], ConsumerGroupHeartbeatRequest]
    ) -> None:
        for index in indexes:
            self.clients[index].send(request(self._members[index]), 1)
        for index in indexes:
            self._members[index].take(self.clients[index].receive())


class ConsumerMember:
    """A member's requests, and what it has: partitions by topic id."""

    def __init__(self, group_id: str) -> None:
        self.epoch = 0
        self.held: dict[bytes, list[int]] = {}
        self._group_id = group_id
        self._member_id = str(uuid.uuid4())
        self._told: dict[bytes, list[int]] | None = None

    def joining(self, topic: str) -> ConsumerGroupHeartbeatRequest:
        """The first one says everything."""
        return ConsumerGroupHeartbeatRequest(
            group_id=self._group_id,
            member_id=self._member_id,
            member_epoch=0,
            rebalance_timeout_ms=60_000,
            subscribed_topic_names=[topic],
            topic_partitions=[],
        )

    def beating(self) -> ConsumerGroupHeartbeatRequest:
        """Later ones say what has changed."""
        changed = None
        if self._told != self.held:
            self._told = dict(self.held)
            changed = [TopicPartitions(topic_id=each, partitions=held) for each, held in self.held.items()]
        return ConsumerGroupHeartbeatRequest(
            group_id=self._group_id,
            member_id=self._member_id,
            member_epoch=self.epoch,
            topic_partitions=changed,
        )

    def take(self, answer: ConsumerGroupHeartbeatResponse) -> None:
        """Do at once what an answer says."""
        _check(answer)
        self.epoch = answer.member_epoch
        if answer.assignment is not None:
            self.held = {each.topic_id: each.partitions for each in answer.assignment.topic_partitions}


def until(condition: Callable[[], bool]) -> None:
    """Ask again until it holds. Raises TimeoutError."""
    end_s = time.monotonic() + _TIMEOUT_S
    while not condition():
        if time.monotonic() > end_s:
            raise TimeoutError("the group does not come to what is waited for")


def _assignment(first: int, count: int) -> bytes:
    partitions = struct.pack(f">{count}i", *range(first, first + count))
    return struct.pack(">hih6si", 1, 1, 6, b"orders", count) + partitions + struct.pack(">i", -1)


def _check(response: Any) -> None:
    if response.error_code != 0:
        raise RuntimeError(f"error {response.error_code} where none is to be")
