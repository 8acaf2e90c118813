"""Consumers that speak the classic protocol, and their members' metadata as consumers write it."""

from __future__ import annotations

from typing import Any

from kstream.groups.heartbeat import heartbeat, leave_group
from kstream.groups.join import join_group
from kstream.groups.settings import Caller
from kstream.groups.sync import sync_group
from kstream.wire.codec import decode, encode
from kstream.wire.messages.consumer_protocol import (
    ConsumerProtocolAssignment,
    ConsumerProtocolAssignmentTopicPartition,
    ConsumerProtocolSubscription,
    ConsumerProtocolSubscriptionTopicPartition,
)
from kstream.wire.messages.heartbeat import HeartbeatRequest
from kstream.wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from kstream.wire.messages.leave_group import LeaveGroupRequest, MemberIdentity
from kstream.wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from tests.groups.driver import Driver, Operation, Token

_VERSION = 1
SESSION_MS = 10_000
REBALANCE_MS = 20_000

Owned = set[tuple[str, int]]


def subscription(topics: list[str], owned: Owned) -> bytes:
    """Version 1: with what the member owns, as cooperative consumers say it."""
    message = ConsumerProtocolSubscription(
        topics=topics,
        owned_partitions=[
            ConsumerProtocolSubscriptionTopicPartition(topic=topic, partitions=[index])
            for topic, index in sorted(owned)
        ],
    )
    return _VERSION.to_bytes(2, "big") + encode(message, _VERSION)


def assignment(owned: Owned, user_data: bytes | None = None) -> bytes:
    topics = [
        ConsumerProtocolAssignmentTopicPartition(
            topic=name, partitions=sorted(index for topic, index in owned if topic == name)
        )
        for name in sorted({name for name, _ in owned})
    ]
    message = ConsumerProtocolAssignment(assigned_partitions=topics, user_data=user_data)
    return _VERSION.to_bytes(2, "big") + encode(message, _VERSION)


def read_assignment(data: bytes) -> Owned:
    message = decode(ConsumerProtocolAssignment, data, int.from_bytes(data[:2], "big"), offset=2)
    return {(topic.topic, index) for topic in message.assigned_partitions for index in topic.partitions}


class ClassicConsumer:
    """One member, whose requests a test sends one by one."""

    def __init__(
        self, driver: Driver, group: str, *topics: str, instance: str | None = None, version: int = 9
    ) -> None:
        self.driver = driver
        self.group_id = group
        self.topics = list(topics)
        self.instance = instance
        self.version = version
        self.member_id = ""
        self.generation = -1
        self.owned: Owned = set()

    @property
    def caller(self) -> Caller:
        return Caller("classic", "/127.0.0.1", self.version)

    def joining(self, protocol_type: str = "consumer") -> Operation:
        protocols = [
            JoinGroupRequestProtocol(name="range", metadata=subscription(self.topics, self.owned)),
            JoinGroupRequestProtocol(name="roundrobin", metadata=subscription(self.topics, self.owned)),
        ]
        request = JoinGroupRequest(
            group_id=self.group_id,
            member_id=self.member_id,
            group_instance_id=self.instance,
            session_timeout_ms=SESSION_MS,
            rebalance_timeout_ms=REBALANCE_MS,
            protocol_type=protocol_type,
            protocols=protocols,
        )
        return lambda shard, now_ms, token: join_group(shard.state, request, self.caller, token, now_ms)

    def begin_join(self) -> Token:
        """JoinGroup, with the id that it is told first; the answer may come later."""
        token = self.driver.perform(self.joining())
        if token.response is not None and token.response.error_code == 79:
            self.member_id = token.response.member_id
            token = self.driver.perform(self.joining())
        return token

    def take(self, answer: JoinGroupResponse) -> None:
        """It has joined."""
        assert answer.error_code == 0, answer
        self.member_id, self.generation = answer.member_id, answer.generation_id

    def join(self) -> JoinGroupResponse:
        """JoinGroup that is answered at once, as a group of KIP-848 answers it."""
        answer: JoinGroupResponse = self.begin_join().response
        self.take(answer)
        return answer

    def sync(self, shares: dict[str, Owned] | None = None) -> int:
        """SyncGroup; its error code."""
        request = SyncGroupRequest(
            group_id=self.group_id,
            member_id=self.member_id,
            group_instance_id=self.instance,
            generation_id=self.generation,
            protocol_type="consumer",
            protocol_name="range",
            assignments=[
                SyncGroupRequestAssignment(member_id=name, assignment=assignment(owned))
                for name, owned in (shares or {}).items()
            ],
        )
        answer = self.driver.ask(
            lambda shard, now_ms, token: sync_group(shard.state, request, self.caller, token, now_ms)
        )
        if answer.error_code == 0:
            self.owned = read_assignment(answer.assignment)
        return int(answer.error_code)

    def beat(self, generation: int | None = None) -> int:
        """Heartbeat; its error code."""
        request = HeartbeatRequest(
            group_id=self.group_id,
            member_id=self.member_id,
            group_instance_id=self.instance,
            generation_id=self.generation if generation is None else generation,
        )
        answer = self.driver.ask(lambda shard, now_ms, token: heartbeat(shard.state, request, token))
        return int(answer.error_code)

    def leave(self, *identities: tuple[str, str | None]) -> Any:
        members = [
            MemberIdentity(member_id=member_id, group_instance_id=instance)
            for member_id, instance in identities or ((self.member_id, self.instance),)
        ]
        request = LeaveGroupRequest(group_id=self.group_id, members=members)
        return self.driver.ask(
            lambda shard, now_ms, token: leave_group(shard.state, request, self.caller, token, now_ms)
        )
