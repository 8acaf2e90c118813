"""Requests for groups, in few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kstream.groups.commit import commit_offsets
from kstream.groups.heartbeat import heartbeat, leave_group
from kstream.groups.join import join_group
from kstream.groups.settings import Caller
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
from tests.groups.driver import Driver, Operation, Token

GROUP = "group"
SESSION_MS = 10_000
REBALANCE_MS = 30_000


def caller(version: int) -> Caller:
    return Caller("client", "/127.0.0.1", version)


def joining(
    member_id: str = "",
    *,
    group: str = GROUP,
    version: int = 3,
    instance: str | None = None,
    protocol_type: str = "consumer",
    protocols: Mapping[str, bytes] | None = None,
    session_ms: int = SESSION_MS,
    rebalance_ms: int = REBALANCE_MS,
) -> Operation:
    """A JoinGroup; up to version 3 a new member is let in at once."""
    wanted = {"range": b""} if protocols is None else protocols
    request = JoinGroupRequest(
        group_id=group,
        member_id=member_id,
        group_instance_id=instance,
        session_timeout_ms=session_ms,
        rebalance_timeout_ms=rebalance_ms,
        protocol_type=protocol_type,
        protocols=[JoinGroupRequestProtocol(name=name, metadata=data) for name, data in wanted.items()],
    )
    return lambda shard, now_ms, token: join_group(shard.state, request, caller(version), token, now_ms)


def syncing(
    member_id: str,
    generation: int,
    assignments: Mapping[str, bytes] | None = None,
    *,
    group: str = GROUP,
    instance: str | None = None,
) -> Operation:
    request = SyncGroupRequest(
        group_id=group,
        generation_id=generation,
        member_id=member_id,
        group_instance_id=instance,
        assignments=[
            SyncGroupRequestAssignment(member_id=name, assignment=data)
            for name, data in (assignments or {}).items()
        ],
    )
    return lambda shard, now_ms, token: sync_group(shard.state, request, caller(3), token, now_ms)


def beating(member_id: str, generation: int, *, group: str = GROUP, instance: str | None = None) -> Operation:
    request = HeartbeatRequest(
        group_id=group, generation_id=generation, member_id=member_id, group_instance_id=instance
    )
    return lambda shard, now_ms, token: heartbeat(shard.state, request, token)


def leaving(*members: tuple[str, str | None], group: str = GROUP) -> Operation:
    identities = [MemberIdentity(member_id=name, group_instance_id=instance) for name, instance in members]
    request = LeaveGroupRequest(group_id=group, members=identities)
    return lambda shard, now_ms, token: leave_group(shard.state, request, caller(5), token, now_ms)


def committing(
    offsets: Mapping[int, int],
    *,
    member_id: str = "",
    generation: int = -1,
    group: str = GROUP,
    topic: str = "topic",
    metadata: str = "",
    leader_epoch: int = -1,
    retention_ms: int = -1,
    version: int = 8,
    instance: str | None = None,
) -> Operation:
    partitions = [
        OffsetCommitRequestPartition(
            partition_index=index,
            committed_offset=offset,
            committed_leader_epoch=leader_epoch,
            committed_metadata=metadata,
        )
        for index, offset in offsets.items()
    ]
    request = OffsetCommitRequest(
        group_id=group,
        generation_id_or_member_epoch=generation,
        member_id=member_id,
        group_instance_id=instance,
        retention_time_ms=retention_ms,
        topics=[OffsetCommitRequestTopic(name=topic, partitions=partitions)],
    )
    return lambda shard, now_ms, token: commit_offsets(shard.state, request, caller(version), token, now_ms)


def stable(driver: Driver, count: int = 1, **options: Any) -> list[str]:
    """A stable group of so many new members; their ids, the leader's first."""
    tokens = [driver.perform(joining(**options)) for _ in range(count)]
    driver.advance(driver.settings.initial_rebalance_delay_ms)
    return settle(driver, tokens, group=options.get("group", GROUP))


def settle(driver: Driver, tokens: Sequence[Token], *, group: str = GROUP) -> list[str]:
    """Sync for all who have joined, with an assignment that names each."""
    answers = [token.response for token in tokens]
    assert all(answer is not None and answer.error_code == 0 for answer in answers), answers
    leader = next(answer for answer in answers if answer.leader == answer.member_id)
    names = [member.member_id for member in leader.members]
    shares = {name: name.encode() for name in names}
    driver.ask(syncing(leader.member_id, leader.generation_id, shares, group=group))
    for name in names:
        if name != leader.member_id:
            answer = driver.ask(syncing(name, leader.generation_id, group=group))
            assert answer.assignment == name.encode()
    return [leader.member_id, *(name for name in names if name != leader.member_id)]
