"""From a classic group to one of KIP-848, while its members go on: the first member that speaks the new
protocol brings it about. Members keep their ids, assignments and positions; the generation is their epoch.
"""

from __future__ import annotations

from kstream.coordinator.outcome import CoordinatorRecord, Outcome
from kstream.errors import ApiError, ErrorCode, ProtocolError
from kstream.groups import rebalance
from kstream.groups.classic import ClassicGroup
from kstream.groups.consumer.consumer_protocol import read_assignment, read_subscription
from kstream.groups.consumer.consumer_records import (
    current_record,
    epoch_record,
    member_record,
    target_epoch_record,
    target_record,
)
from kstream.groups.consumer.member import ConsumerMember
from kstream.groups.consumer.metadata_hash import group_hash
from kstream.groups.consumer.states import MemberState
from kstream.groups.consumer.timers import session_key
from kstream.groups.group_records import group_tombstone
from kstream.groups.member import ClassicMember
from kstream.groups.state import GroupState
from kstream.groups.subscriptions import CONSUMER
from kstream.records.schemas.group_consumer import ClassicMemberMetadata, ClassicProtocol
from kstream.wire.messages.join_group import JoinGroupResponse
from kstream.wire.messages.sync_group import SyncGroupResponse


def upgrade_records(state: GroupState, classic: ClassicGroup) -> list[CoordinatorRecord]:
    """The tombstone of a classic group with members, and the records of it as a consumer group.

    Raises:
        ApiError: GROUP_ID_NOT_FOUND, with why it cannot be one.
    """
    settings = state.settings.consumer
    if not settings.can_upgrade:
        raise _refused(classic, "group.consumer.migration.policy does not allow it")
    if classic.protocol_type != CONSUMER:
        raise _refused(classic, "its members are no consumers")
    if len(classic.members) > settings.max_size:
        raise _refused(classic, "it has more members than group.consumer.max.size")
    try:
        members = [_upgraded(state, classic, member) for member in classic.members.values()]
    except ProtocolError as error:
        raise _refused(classic, f"a member's metadata is malformed: {error}") from None
    group_id, epoch = classic.group_id, classic.generation
    names = {name for member in members for name in member.topic_names}
    targets = [
        target_record(
            group_id, member.member_id, {key: frozenset(held) for key, held in member.assigned.items()}
        )
        for member in members
    ]
    return [
        group_tombstone(group_id),
        *(member_record(group_id, member) for member in members),
        epoch_record(group_id, epoch, group_hash(names, state.cluster)),
        *targets,
        target_epoch_record(group_id, epoch, 0),
        *(current_record(group_id, member) for member in members),
    ]


def complete_upgrade(classic: ClassicGroup, out: Outcome) -> None:
    """Send away who waits in the classic group, and see that silent members are noticed."""
    group_id = classic.group_id
    for key in (rebalance.join_key(group_id), rebalance.sync_key(group_id)):
        out.timers[key] = None
    in_progress = ErrorCode.REBALANCE_IN_PROGRESS
    for member in classic.members.values():
        classic.answer_join(
            member,
            JoinGroupResponse(error_code=in_progress, member_id=member.member_id, protocol_name=None),
            out,
        )
        classic.answer_sync(member, SyncGroupResponse(error_code=in_progress), out)
        out.timers[rebalance.session_key(group_id, member.member_id)] = None
        out.timers[session_key(group_id, member.member_id)] = member.session_timeout_ms
    for member_id in classic.pending_joins:
        out.timers[rebalance.session_key(group_id, member_id)] = None


def _upgraded(state: GroupState, classic: ClassicGroup, member: ClassicMember) -> ConsumerMember:
    protocol = classic.protocol_name or classic.select_protocol()
    subscription = read_subscription(member.protocols.get(protocol, b""))
    assigned = {}
    if member.assignment:
        assignment = read_assignment(member.assignment)
        if assignment.user_data:
            raise _refused(classic, "its assignor puts data of its own into assignments, which would be lost")
        for topic in assignment.assigned_partitions:
            known = state.cluster.topic_named(topic.topic)
            if known is not None:
                # Another topic of the name may have had more partitions.
                there = (index for index in topic.partitions if index < known.partition_count)
                assigned[known.topic_id] = dict.fromkeys(there, classic.generation)
    return ConsumerMember(
        member.member_id,
        member_epoch=classic.generation,
        previous_epoch=classic.generation,
        state=MemberState.STABLE,
        instance_id=member.instance_id,
        rack_id=subscription.rack_id or None,
        rebalance_timeout_ms=member.rebalance_timeout_ms,
        client_id=member.client_id,
        client_host=member.client_host,
        topic_names=frozenset(subscription.topics),
        assigned=assigned,
        classic=ClassicMemberMetadata(
            session_timeout_ms=member.session_timeout_ms,
            supported_protocols=[
                ClassicProtocol(name=name, metadata=metadata) for name, metadata in member.protocols.items()
            ],
        ),
    )


def _refused(classic: ClassicGroup, reason: str) -> ApiError:
    return ApiError(
        ErrorCode.GROUP_ID_NOT_FOUND,
        f"group {classic.group_id} is a classic group and cannot be upgraded: {reason}",
    )
