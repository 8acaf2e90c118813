"""Members of a consumer group that speak the classic protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup.

The coordinator assigns to them as to all others. A JoinGroup is a member's heartbeat with all that it has;
its answer comes at once and names no leader, and SyncGroup then fetches what the member has got. Heartbeats
say REBALANCE_IN_PROGRESS when there is something to revoke or to get. The generation is the member's epoch.
"""

from __future__ import annotations

from collections.abc import Iterable

from kstream.coordinator.outcome import CoordinatorRecord, Outcome
from kstream.errors import ApiError, ErrorCode, ProtocolError
from kstream.groups.consumer.changes import MemberChange
from kstream.groups.consumer.consumer_protocol import owned_of, read_subscription, write_assignment
from kstream.groups.consumer.downgrade import can_downgrade_replacing, downgrade_replacing
from kstream.groups.consumer.group import NO_OWNER, ConsumerGroup
from kstream.groups.consumer.joining import check_room, replace_static
from kstream.groups.consumer.member import ConsumerMember
from kstream.groups.consumer.removal import remove_members
from kstream.groups.consumer.states import MemberState
from kstream.groups.consumer.timers import join_key, session_key, sync_key
from kstream.groups.settings import Caller
from kstream.groups.state import GroupState
from kstream.groups.subscriptions import CONSUMER
from kstream.records.schemas.group_consumer import ClassicMemberMetadata, ClassicProtocol
from kstream.wire.messages.consumer_protocol import ConsumerProtocolSubscription
from kstream.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from kstream.wire.messages.join_group import JoinGroupRequest, JoinGroupResponse
from kstream.wire.messages.leave_group import MemberIdentity, MemberResponse
from kstream.wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse

_FIRST_VERSION_REQUIRING_ID = 4


def join(
    state: GroupState,
    group: ConsumerGroup,
    request: JoinGroupRequest,
    caller: Caller,
    token: object,
    now_ms: int,
) -> Outcome:
    """Let a classic member in, or let it take its next step.

    Raises:
        ApiError: INCONSISTENT_GROUP_PROTOCOL, GROUP_MAX_SIZE_REACHED, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
    """
    out = Outcome()
    if not (state.settings.consumer.can_upgrade or state.settings.consumer.can_downgrade):
        raise ApiError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    member_id = request.member_id or state.new_member_id(None)
    check_room(group, member_id, request.group_instance_id, state.settings.consumer.max_size)
    protocols: dict[str, bytes] = {}
    for each in request.protocols:
        protocols.setdefault(each.name, bytes(each.metadata))
    if not group.supports_classic(request.protocol_type, protocols):
        raise ApiError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    is_new = not request.member_id and request.group_instance_id is None
    if is_new and caller.api_version >= _FIRST_VERSION_REQUIRING_ID:
        required = ErrorCode.MEMBER_ID_REQUIRED
        return out.reply(
            token, JoinGroupResponse(error_code=required, member_id=member_id, protocol_name=None)
        )
    try:
        subscription = read_subscription(next(iter(protocols.values())))
    except ProtocolError as error:
        raise ApiError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, str(error)) from None
    records: list[CoordinatorRecord] = []
    old = _joining_member(group, request, member_id, records)
    replaced = group.static_member(request.group_instance_id)
    is_downgrade = replaced is not None and can_downgrade_replacing(state, group, replaced)
    change = MemberChange(
        state, group, old, _updated(old, request, protocols, subscription, caller), records, now_ms
    )
    change.subscribe(any_regex_bumps=True)
    owned = owned_of(subscription, state.cluster)
    if not is_downgrade:
        new = change.reconcile(*change.assign(), owned, out)
        change.look_for_topics(out)
        out.records += records
        _set_timers(group, new, request, out)
    else:
        assert replaced is not None
        must_rebalance = group.assignment_epoch < change.epoch
        new = change.new
        if not must_rebalance:
            new = change.reconcile(group.assignment_epoch, group.target_of(new), owned, out)
        out.records += records
        downgrade_replacing(
            state, group, replaced, new, must_rebalance=must_rebalance, now_ms=now_ms, out=out
        )
    return out.reply(
        token,
        JoinGroupResponse(
            member_id=new.member_id,
            generation_id=new.member_epoch,
            protocol_type=CONSUMER,
            protocol_name=next(iter(protocols)),
        ),
    )


def _joining_member(
    group: ConsumerGroup, request: JoinGroupRequest, member_id: str, records: list[CoordinatorRecord]
) -> ConsumerMember:
    """What the group knows of who joins. Raises ApiError."""
    instance_id = request.group_instance_id
    if instance_id is None:
        return group.members.get(member_id) or ConsumerMember(member_id)
    if request.member_id:
        return group.speaker(member_id, instance_id)
    existing = group.static_member(instance_id)
    if existing is None:
        return ConsumerMember(member_id)
    return replace_static(group, existing, member_id, records)


def _updated(
    old: ConsumerMember,
    request: JoinGroupRequest,
    protocols: dict[str, bytes],
    subscription: ConsumerProtocolSubscription,
    caller: Caller,
) -> ConsumerMember:
    timeout_ms = request.rebalance_timeout_ms if caller.api_version else request.session_timeout_ms
    return old._replace(
        instance_id=old.instance_id if request.group_instance_id is None else request.group_instance_id,
        rack_id=subscription.rack_id or old.rack_id,
        rebalance_timeout_ms=old.rebalance_timeout_ms if timeout_ms == -1 else timeout_ms,
        topic_names=frozenset(subscription.topics),
        topic_regex="",
        client_id=caller.client_id,
        client_host=caller.client_host,
        classic=ClassicMemberMetadata(
            session_timeout_ms=request.session_timeout_ms,
            supported_protocols=[
                ClassicProtocol(name=name, metadata=metadata) for name, metadata in protocols.items()
            ],
        ),
    )


def _set_timers(
    group: ConsumerGroup, member: ConsumerMember, request: JoinGroupRequest, out: Outcome
) -> None:
    group_id, member_id = group.group_id, member.member_id
    group.awaiting_join.discard(member_id)
    out.timers[join_key(group_id, member_id)] = None
    out.timers[session_key(group_id, member_id)] = request.session_timeout_ms
    out.timers[sync_key(group_id, member_id)] = member.rebalance_timeout_ms


def sync(state: GroupState, group: ConsumerGroup, request: SyncGroupRequest, token: object) -> Outcome:
    """What the member has got.

    Raises:
        ApiError: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, INCONSISTENT_GROUP_PROTOCOL,
            REBALANCE_IN_PROGRESS.
    """
    out = Outcome()
    member = _classic_speaker(group, request.member_id, request.group_instance_id, request.generation_id)
    protocol = member.classic_protocols()[0]
    for theirs, ours in ((request.protocol_type, CONSUMER), (request.protocol_name, protocol.name)):
        if theirs is not None and theirs != ours:
            raise ApiError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    if group.assignment_epoch > member.member_epoch and member.state is not MemberState.UNREVOKED_PARTITIONS:
        return _ask_to_join(group, member, SyncGroupResponse(), token, out)
    assert member.classic is not None
    out.timers[sync_key(group.group_id, member.member_id)] = None
    out.timers[session_key(group.group_id, member.member_id)] = member.classic.session_timeout_ms
    return out.reply(
        token,
        SyncGroupResponse(
            protocol_type=request.protocol_type,
            protocol_name=request.protocol_name,
            assignment=write_assignment(member.assigned, state.cluster, bytes(protocol.metadata)),
        ),
    )


def heartbeat(group: ConsumerGroup, request: HeartbeatRequest, token: object) -> Outcome:
    """Renew the member's session, and tell it if it has to join again.

    Raises:
        ApiError: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION.
    """
    out = Outcome()
    member = _classic_speaker(group, request.member_id, request.group_instance_id, request.generation_id)
    assert member.classic is not None
    out.timers[session_key(group.group_id, member.member_id)] = member.classic.session_timeout_ms
    if (
        member.member_epoch < group.assignment_epoch
        or member.state is MemberState.UNREVOKED_PARTITIONS
        or (member.state is MemberState.UNRELEASED_PARTITIONS and not _waits_for_others(group, member))
        or _nobody_else_will_assign(group)
    ):
        return _ask_to_join(group, member, HeartbeatResponse(), token, out)
    return out.reply(token, HeartbeatResponse())


def leave(
    state: GroupState,
    group: ConsumerGroup,
    identities: Iterable[MemberIdentity],
    now_ms: int,
    out: Outcome,
) -> list[MemberResponse]:
    """Take members out, each for itself. An operator may name a static member by its instance id alone."""
    answers: list[MemberResponse] = []
    leaving: dict[str, ConsumerMember] = {}
    for identity in identities:
        answer = MemberResponse(member_id=identity.member_id, group_instance_id=identity.group_instance_id)
        answers.append(answer)
        member = group.static_member(identity.group_instance_id)
        try:
            if member is None or identity.member_id:
                member = group.speaker(identity.member_id, identity.group_instance_id)
            leaving[member.member_id] = member
        except ApiError as error:
            answer.error_code = error.code
    remove_members(state, group, list(leaving.values()), f"{', '.join(leaving)} left", now_ms, out)
    return answers


def _classic_speaker(
    group: ConsumerGroup, member_id: str, instance_id: str | None, generation: int
) -> ConsumerMember:
    member = group.speaker(member_id, instance_id)
    if not member.is_classic:
        raise ApiError(ErrorCode.UNKNOWN_MEMBER_ID)
    if member.member_epoch != generation:
        raise ApiError(ErrorCode.ILLEGAL_GENERATION)
    return member


def _ask_to_join(
    group: ConsumerGroup,
    member: ConsumerMember,
    response: SyncGroupResponse | HeartbeatResponse,
    token: object,
    out: Outcome,
) -> Outcome:
    """It has its rebalance timeout, from the first time it is told."""
    if member.member_id not in group.awaiting_join:
        group.awaiting_join.add(member.member_id)
        out.timers[join_key(group.group_id, member.member_id)] = member.rebalance_timeout_ms
    response.error_code = ErrorCode.REBALANCE_IN_PROGRESS
    return out.reply(token, response)


def _nobody_else_will_assign(group: ConsumerGroup) -> bool:
    """Whether something changed, and only a JoinGroup can bring a new target about: the group has no other
    members, and may not become a classic one. Kafka leaves such a group as it is.
    """
    is_behind = group.epoch > group.assignment_epoch or group.is_metadata_stale
    return is_behind and group.classic_count == len(group.members)


def _waits_for_others(group: ConsumerGroup, member: ConsumerMember) -> bool:
    """Whether somebody still has what the target gives to this member."""
    for topic_id, indexes in group.targets.get(member.member_id, {}).items():
        held = member.assigned.get(topic_id, {})
        if any(i not in held and group.owner_epoch(topic_id, i) != NO_OWNER for i in indexes):
            return True
    return False
