"""Records of classic groups and of offsets, as Apache Kafka 4.4.0 writes them, and groups from records."""

from __future__ import annotations

from kstream.coordinator.outcome import CoordinatorRecord
from kstream.groups.classic import ClassicGroup
from kstream.groups.member import ClassicMember
from kstream.groups.states import ClassicState
from kstream.records.schemas.group import (
    GroupMetadataKey,
    GroupMetadataValue,
    OffsetCommitKey,
    OffsetCommitValue,
)
from kstream.records.schemas.group_offsets import MemberMetadata

GROUP_VERSION = 3
OFFSET_VERSION = 3
OFFSET_VERSION_WITH_EXPIRY = 1
"""The only version that holds an expiry: OffsetCommit requests up to version 4 can ask for one."""
OFFSET_VERSION_WITH_TOPIC_ID = 4


def group_record(group: ClassicGroup) -> CoordinatorRecord:
    """The group as it is: generation, leader, members with their assignments."""
    protocol = group.protocol_name
    value = GroupMetadataValue(
        protocol_type=group.protocol_type or "",
        generation=group.generation,
        protocol=protocol,
        leader=group.leader_id,
        current_state_timestamp=-1 if group.state_timestamp_ms is None else group.state_timestamp_ms,
        members=[
            MemberMetadata(
                member_id=member.member_id,
                group_instance_id=member.instance_id,
                client_id=member.client_id,
                client_host=member.client_host,
                rebalance_timeout=member.rebalance_timeout_ms,
                session_timeout=member.session_timeout_ms,
                subscription=member.protocols.get(protocol or "", b""),
                assignment=member.assignment,
            )
            for member in group.members.values()
        ],
    )
    return CoordinatorRecord(GroupMetadataKey(group=group.group_id), value, GROUP_VERSION)


def empty_group_record(group_id: str, now_ms: int) -> CoordinatorRecord:
    """A group that somebody wants to join, and nobody has yet."""
    return CoordinatorRecord(
        GroupMetadataKey(group=group_id),
        GroupMetadataValue(
            protocol_type="", generation=0, protocol=None, leader=None, current_state_timestamp=now_ms
        ),
        GROUP_VERSION,
    )


def group_tombstone(group_id: str) -> CoordinatorRecord:
    return CoordinatorRecord(GroupMetadataKey(group=group_id), None)


def offset_record(
    group_id: str, topic: str, partition: int, value: OffsetCommitValue, version: int
) -> CoordinatorRecord:
    return CoordinatorRecord(
        OffsetCommitKey(group=group_id, topic=topic, partition=partition), value, version
    )


def offset_tombstone(group_id: str, topic: str, partition: int) -> CoordinatorRecord:
    return CoordinatorRecord(OffsetCommitKey(group=group_id, topic=topic, partition=partition), None)


def group_from_value(group_id: str, value: GroupMetadataValue) -> ClassicGroup:
    """The group as it was written: Stable with its members, or Empty."""
    group = ClassicGroup(group_id)
    group.written = value
    group.generation = value.generation
    group.protocol_type = value.protocol_type or None
    group.protocol_name = value.protocol
    group.leader_id = value.leader
    if value.current_state_timestamp != -1:
        group.state_timestamp_ms = value.current_state_timestamp
    for written in value.members:
        timeout_ms = written.rebalance_timeout if written.rebalance_timeout != -1 else written.session_timeout
        group.add(
            ClassicMember(
                written.member_id,
                instance_id=written.group_instance_id,
                client_id=written.client_id,
                client_host=written.client_host,
                rebalance_timeout_ms=timeout_ms,
                session_timeout_ms=written.session_timeout,
                protocols={value.protocol or "": written.subscription},
                assignment=written.assignment,
            )
        )
    if value.members:
        group.state = ClassicState.STABLE
    group.note_subscriptions()
    return group
