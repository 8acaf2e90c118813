"""SyncGroup: the leader brings the assignment of a generation, and everybody takes theirs away."""

from __future__ import annotations

from kstream.coordinator.outcome import Notice, Outcome
from kstream.errors import ApiError, ErrorCode
from kstream.groups.classic import ClassicGroup
from kstream.groups.consumer import classic_members
from kstream.groups.group_records import group_record
from kstream.groups.member import ClassicMember
from kstream.groups.rebalance import propagate
from kstream.groups.settings import Caller
from kstream.groups.state import GroupState
from kstream.groups.states import ClassicState
from kstream.wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse

_FIRST_VERSION_WITH_PROTOCOL = 5


def sync_group(
    state: GroupState, request: SyncGroupRequest, caller: Caller, token: object, now_ms: int
) -> Outcome:
    """Take the leader's assignment, hand out what there is, or let the member wait for the leader."""
    out = Outcome()
    if caller.api_version >= _FIRST_VERSION_WITH_PROTOCOL and (
        request.protocol_type is None or request.protocol_name is None
    ):
        return out.reply(token, SyncGroupResponse(error_code=ErrorCode.INCONSISTENT_GROUP_PROTOCOL))
    consumers = state.consumer_groups.get(request.group_id)
    if consumers is not None:
        try:
            return classic_members.sync(state, consumers, request, token)
        except ApiError as error:
            return out.reply(token, SyncGroupResponse(error_code=error.code))
    group = state.groups.get(request.group_id)
    if group is None:
        return out.reply(token, SyncGroupResponse(error_code=ErrorCode.UNKNOWN_MEMBER_ID))
    try:
        member = _check(group, request)
    except ApiError as error:
        return out.reply(token, SyncGroupResponse(error_code=error.code))
    group.pending_syncs.discard(member.member_id)
    if group.state is ClassicState.STABLE:
        return out.reply(
            token,
            SyncGroupResponse(
                protocol_type=group.protocol_type,
                protocol_name=group.protocol_name,
                assignment=member.assignment,
            ),
        )
    stale = SyncGroupResponse(error_code=ErrorCode.REBALANCE_IN_PROGRESS)
    group.answer_sync(member, stale, out)
    member.awaiting_sync = token
    if member.member_id == group.leader_id:
        _stabilize(group, request, now_ms, out)
    return out


def _check(group: ClassicGroup, request: SyncGroupRequest) -> ClassicMember:
    """The member that syncs. Raises ApiError where it cannot."""
    member = group.check_member(request.member_id, request.group_instance_id)
    if request.generation_id != group.generation:
        raise ApiError(ErrorCode.ILLEGAL_GENERATION)
    for theirs, ours in (
        (request.protocol_type, group.protocol_type),
        (request.protocol_name, group.protocol_name),
    ):
        if theirs is not None and ours is not None and theirs != ours:
            raise ApiError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    if group.state is ClassicState.PREPARING_REBALANCE:
        raise ApiError(ErrorCode.REBALANCE_IN_PROGRESS)
    return member


def _stabilize(group: ClassicGroup, request: SyncGroupRequest, now_ms: int, out: Outcome) -> None:
    """Write down who has what, then tell them. Members that the leader forgot get nothing."""
    assignments = {each.member_id: bytes(each.assignment) for each in request.assignments}
    missing = [member_id for member_id in group.members if member_id not in assignments]
    if missing:
        out.effects.append(
            Notice(f"group {group.group_id}: the leader assigned nothing to {', '.join(missing)}")
        )
    for member in group.members.values():
        member.assignment = assignments.get(member.member_id, b"")
    group.become(ClassicState.STABLE, now_ms)
    out.records.append(group_record(group))
    propagate(group, ErrorCode.NONE, out)
