"""JoinGroup: how somebody becomes, or goes on being, a member of a classic group.

- A member without an id gets one: from version 4 on it is first only told the id (MEMBER_ID_REQUIRED,
  KIP-394), so that a client that gave up waiting leaves no ghost behind.
- A static member (group.instance.id, KIP-345) that comes back without its id takes its old place. In a
  stable group that needs no rebalance, unless the protocol would change.
- A known member that joins again with what is known of it is told the present generation; with something
  new, or as leader of a stable group, it begins a rebalance.
"""

from __future__ import annotations

from kstream.coordinator.outcome import Outcome
from kstream.errors import ApiError, ErrorCode
from kstream.groups.classic import ClassicGroup
from kstream.groups.consumer import classic_members
from kstream.groups.group_records import empty_group_record, group_record
from kstream.groups.member import ClassicMember
from kstream.groups.rebalance import (
    begin_rebalance,
    complete_if_all_joined,
    rebalance_or_complete,
    renew_session,
    session_key,
)
from kstream.groups.settings import NEW_MEMBER_JOIN_TIMEOUT_MS, Caller
from kstream.groups.state import GroupState
from kstream.groups.states import ClassicState
from kstream.wire.messages.join_group import JoinGroupRequest, JoinGroupResponse

_FIRST_VERSION_REQUIRING_ID = 4
_FIRST_VERSION_SKIPPING_ASSIGNMENT = 9


class Joining:
    """One JoinGroup while it is handled: the request, who asks, and what comes of it."""

    __slots__ = ("caller", "group", "now_ms", "out", "protocols", "request", "state", "token")

    def __init__(
        self, state: GroupState, group: ClassicGroup, request: JoinGroupRequest, caller: Caller, token: object
    ) -> None:
        self.state = state
        self.group = group
        self.request = request
        self.caller = caller
        self.token = token
        self.out = Outcome()
        self.now_ms = 0
        self.protocols: dict[str, bytes] = {}
        for protocol in request.protocols:
            self.protocols.setdefault(protocol.name, bytes(protocol.metadata))

    @property
    def reason(self) -> str:
        return self.request.reason or "not provided"

    @property
    def rebalance_timeout_ms(self) -> int:
        """Version 0 has none of its own."""
        return (
            self.request.session_timeout_ms
            if self.caller.api_version == 0
            else self.request.rebalance_timeout_ms
        )

    def refuse(self, error_code: ErrorCode, member_id: str) -> Outcome:
        return self.out.reply(self.token, refusal(error_code, member_id))


def refusal(error_code: ErrorCode, member_id: str) -> JoinGroupResponse:
    """An answer that is an error."""
    return JoinGroupResponse(error_code=error_code, member_id=member_id, protocol_name=None)


def join_group(
    state: GroupState, request: JoinGroupRequest, caller: Caller, token: object, now_ms: int
) -> Outcome:
    """Let a member in, or say why not. The answer may come much later, from another outcome."""
    settings = state.settings
    member_id = request.member_id
    if not settings.min_session_timeout_ms <= request.session_timeout_ms <= settings.max_session_timeout_ms:
        return Outcome().reply(token, refusal(ErrorCode.INVALID_SESSION_TIMEOUT, member_id))
    if request.group_id in state.other_groups or request.group_id in state.share_groups:
        return Outcome().reply(token, refusal(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, ""))
    consumers = state.consumer_groups.get(request.group_id)
    if consumers is not None and not consumers.is_empty:
        try:
            return classic_members.join(state, consumers, request, caller, token, now_ms)
        except ApiError as error:
            return Outcome().reply(token, refusal(error.code, ""))
    group = state.groups.get(request.group_id)
    is_new_group = group is None
    if group is None:
        if member_id:
            return Outcome().reply(token, refusal(ErrorCode.UNKNOWN_MEMBER_ID, member_id))
        group = state.groups[request.group_id] = ClassicGroup(request.group_id)
    joining = Joining(state, group, request, caller, token)
    joining.now_ms = now_ms
    if not _has_room(group, member_id, settings.max_size):
        group.remove(member_id)
        joining.refuse(ErrorCode.GROUP_MAX_SIZE_REACHED, "")
        complete_if_all_joined(group, now_ms, joining.out)
    elif not group.supports(request.protocol_type, joining.protocols):
        joining.refuse(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, member_id)
    elif not member_id:
        _join_new(joining)
    else:
        _join_known(joining)
    if is_new_group and not joining.out.records:
        joining.out.records.append(empty_group_record(request.group_id, now_ms))
    if consumers is not None:
        # An empty group of KIP-848 gives way to a classic one.
        joining.out.records[:0] = consumers.tombstones()
    return joining.out


def _has_room(group: ClassicGroup, member_id: str, size_max: int) -> bool:
    """Whether `group.max.size` lets this one in. While a rebalance runs, those who have joined count: a group
    that is too large sheds its last ones.
    """
    if group.is_empty:
        return True
    member = group.members.get(member_id)
    if group.state is ClassicState.PREPARING_REBALANCE:
        return (member is not None and member.awaiting_join is not None) or group.awaiting_join < size_max
    return member is not None or len(group.members) < size_max


def _join_new(joining: Joining) -> None:
    group, instance_id = joining.group, joining.request.group_instance_id
    if instance_id is not None:
        new_id = joining.state.new_member_id(instance_id)
        if instance_id in group.static_members:
            _replace_static(joining, instance_id, new_id)
        else:
            _add(joining, new_id)
        return
    new_id = joining.state.new_member_id(joining.caller.client_id)
    if joining.caller.api_version < _FIRST_VERSION_REQUIRING_ID:
        _add(joining, new_id)
        return
    group.pending_joins.add(new_id)
    joining.out.timers[session_key(group.group_id, new_id)] = joining.request.session_timeout_ms
    joining.refuse(ErrorCode.MEMBER_ID_REQUIRED, new_id)


def _add(joining: Joining, member_id: str) -> None:
    """A member more: a rebalance begins, or goes on with it."""
    group, request = joining.group, joining.request
    member = ClassicMember(
        member_id,
        instance_id=request.group_instance_id,
        client_id=joining.caller.client_id,
        client_host=joining.caller.client_host,
        rebalance_timeout_ms=joining.rebalance_timeout_ms,
        session_timeout_ms=request.session_timeout_ms,
        protocols=joining.protocols,
    )
    member.is_new = True
    group.has_new_member = True
    if not group.members:
        group.protocol_type = request.protocol_type
    group.add(member, joining.token)
    joining.out.timers[session_key(group.group_id, member_id)] = NEW_MEMBER_JOIN_TIMEOUT_MS
    _rebalance(joining, f"member {member_id} joins; its client's reason: {joining.reason}")


def _join_known(joining: Joining) -> None:
    group, request = joining.group, joining.request
    member_id = request.member_id
    if member_id in group.pending_joins and request.group_instance_id is None:
        _add(joining, member_id)
        return
    try:
        member = group.check_member(member_id, request.group_instance_id)
    except ApiError as error:
        joining.refuse(error.code, member_id)
        return
    is_leader = member_id == group.leader_id
    if group.state is not ClassicState.PREPARING_REBALANCE and member.has_protocols(joining.protocols):
        if group.state is ClassicState.COMPLETING_REBALANCE:
            # It may not have got the answer to its first JoinGroup.
            members = group.members_for_leader() if is_leader else ()
            joining.out.reply(joining.token, group.joined(member_id, members))
            return
        if not is_leader:
            joining.out.reply(joining.token, group.joined(member_id))
            return
        # A leader that joins a stable group wants to assign anew: it may have seen topics grow.
    _update(joining, member)
    _rebalance(joining, f"member {member_id} joins again; its client's reason: {joining.reason}")


def _replace_static(joining: Joining, instance_id: str, new_id: str) -> None:
    """A static member is back without its id, in its old place."""
    group, out = joining.group, joining.out
    old_leader_id = group.leader_id or ""
    member = group.replace_static(instance_id, new_id, out)
    renew_session(group, member, out)
    _update(joining, member)
    if group.state is ClassicState.STABLE:
        if group.select_protocol() == group.protocol_name:
            _answer_replaced(joining, member, old_leader_id)
        else:
            _rebalance(joining, f"static member {new_id} changes the protocol")
    elif group.state is ClassicState.COMPLETING_REBALANCE:
        # The leader may be assigning to the old id just now.
        reason = f"static member {new_id} took the place of its former id"
        begin_rebalance(group, reason, joining.state.settings, joining.now_ms, out)
    else:
        complete_if_all_joined(group, joining.now_ms, out)


def _answer_replaced(joining: Joining, member: ClassicMember, old_leader_id: str) -> None:
    """The generation goes on with the new id, which is written before anybody hears of it."""
    group = joining.group
    joining.out.records.append(group_record(group))
    is_leader = member.member_id == group.leader_id
    answer = group.joined(member.member_id)
    if joining.caller.api_version >= _FIRST_VERSION_SKIPPING_ASSIGNMENT:
        # The leader sees the members, and knows that it need not assign (KIP-814).
        answer.skip_assignment = is_leader
        if is_leader:
            answer.members = group.members_for_leader()
    else:
        # Told that the former id leads, it goes on as a follower and disturbs nobody.
        answer.leader = old_leader_id
    group.answer_join(member, answer, joining.out)


def _update(joining: Joining, member: ClassicMember) -> None:
    joining.group.update(
        member,
        protocols=joining.protocols,
        rebalance_timeout_ms=joining.rebalance_timeout_ms,
        session_timeout_ms=joining.request.session_timeout_ms,
        token=joining.token,
        out=joining.out,
    )


def _rebalance(joining: Joining, reason: str) -> None:
    rebalance_or_complete(joining.group, reason, joining.state.settings, joining.now_ms, joining.out)
