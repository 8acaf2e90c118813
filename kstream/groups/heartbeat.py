"""Heartbeat and LeaveGroup: how members stay, and how they go."""

from __future__ import annotations

from kstream.coordinator.outcome import Outcome
from kstream.errors import ApiError, ErrorCode
from kstream.groups.classic import ClassicGroup
from kstream.groups.consumer import classic_members
from kstream.groups.member import ClassicMember
from kstream.groups.rebalance import (
    complete_if_all_joined,
    rebalance_or_complete,
    remove_member,
    renew_session,
    session_key,
)
from kstream.groups.settings import Caller
from kstream.groups.state import GroupState
from kstream.groups.states import ClassicState
from kstream.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from kstream.wire.messages.leave_group import (
    LeaveGroupRequest,
    LeaveGroupResponse,
    MemberIdentity,
    MemberResponse,
)

_FIRST_VERSION_WITH_MEMBERS = 3


def heartbeat(state: GroupState, request: HeartbeatRequest, token: object) -> Outcome:
    """Renew the member's session, and tell it if it has to join again."""
    out = Outcome()
    consumers = state.consumer_groups.get(request.group_id)
    if consumers is not None:
        try:
            return classic_members.heartbeat(consumers, request, token)
        except ApiError as error:
            return out.reply(token, HeartbeatResponse(error_code=error.code))
    group = state.groups.get(request.group_id)
    if group is None:
        return out.reply(token, HeartbeatResponse(error_code=ErrorCode.UNKNOWN_MEMBER_ID))
    try:
        member = group.check_member(request.member_id, request.group_instance_id)
    except ApiError as error:
        return out.reply(token, HeartbeatResponse(error_code=error.code))
    if request.generation_id != group.generation:
        return out.reply(token, HeartbeatResponse(error_code=ErrorCode.ILLEGAL_GENERATION))
    renew_session(group, member, out)
    if group.state is ClassicState.PREPARING_REBALANCE:
        return out.reply(token, HeartbeatResponse(error_code=ErrorCode.REBALANCE_IN_PROGRESS))
    return out.reply(token, HeartbeatResponse())


def member_at_ease(state: GroupState, request: HeartbeatRequest) -> ClassicMember | None:
    """The member of a heartbeat that only renews its session; None if `heartbeat` must look at it. HOT."""
    group = state.groups.get(request.group_id)
    if group is None or group.state is ClassicState.PREPARING_REBALANCE:
        return None
    if request.group_instance_id is not None or request.generation_id != group.generation:
        return None
    return group.members.get(request.member_id)


def leave_group(
    state: GroupState, request: LeaveGroupRequest, caller: Caller, token: object, now_ms: int
) -> Outcome:
    """Take members out, each for itself, then rebalance once for all of them.

    Before version 3 there is one member and its error stands at the top.
    """
    out = Outcome()
    is_single = caller.api_version < _FIRST_VERSION_WITH_MEMBERS
    leaving = [MemberIdentity(member_id=request.member_id)] if is_single else request.members
    consumers = state.consumer_groups.get(request.group_id)
    if consumers is not None:
        answers = classic_members.leave(state, consumers, leaving, now_ms, out)
        return _answer_leave(answers, token, out, is_single=is_single)
    group = state.groups.get(request.group_id)
    answers = [_leave(group, identity, out) for identity in leaving]
    gone = [answer.member_id for answer in answers if answer.error_code == ErrorCode.NONE]
    if group is not None and gone:
        reason = f"{', '.join(gone)} left"
        if group.state in (ClassicState.STABLE, ClassicState.COMPLETING_REBALANCE):
            rebalance_or_complete(group, reason, state.settings, now_ms, out)
        else:
            complete_if_all_joined(group, now_ms, out)
    return _answer_leave(answers, token, out, is_single=is_single)


def _answer_leave(answers: list[MemberResponse], token: object, out: Outcome, *, is_single: bool) -> Outcome:
    if is_single:
        return out.reply(token, LeaveGroupResponse(error_code=answers[0].error_code))
    return out.reply(token, LeaveGroupResponse(members=answers))


def _leave(group: ClassicGroup | None, identity: MemberIdentity, out: Outcome) -> MemberResponse:
    """One member goes. An operator may name a static member by its instance id alone (KIP-345)."""
    answer = MemberResponse(member_id=identity.member_id, group_instance_id=identity.group_instance_id)
    member_id, instance_id = identity.member_id, identity.group_instance_id
    if group is None:
        answer.error_code = ErrorCode.UNKNOWN_MEMBER_ID
        return answer
    if not member_id:
        member_id = group.static_members.get(instance_id or "", "")
    elif member_id in group.pending_joins:
        group.remove(member_id)
        out.timers[session_key(group.group_id, member_id)] = None
        return answer
    try:
        member = group.check_member(member_id, instance_id)
    except ApiError as error:
        answer.error_code = error.code if identity.member_id else ErrorCode.UNKNOWN_MEMBER_ID
        return answer
    remove_member(group, member, out)
    return answer
