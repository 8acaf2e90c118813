"""ConsumerGroupHeartbeat: how a member joins, stays, moves to a new assignment, and leaves.

- Member epoch 0 joins, with all that the member is and wants; -1 leaves; -2 leaves for a while (a static
  member, whose partitions are kept); others are what the member was last told.
- A member says only what changed. What it owns it says when that changed, and when it joins.
- It is told its assignment when that changed, when it joins, and when it said everything anew.
"""

from __future__ import annotations

from kstream.coordinator.outcome import Outcome
from kstream.errors import ApiError, ErrorCode
from kstream.groups.consumer.changes import MemberChange
from kstream.groups.consumer.consumer_records import current_record
from kstream.groups.consumer.group import ConsumerGroup
from kstream.groups.consumer.joining import Joining, check_room, replace_static
from kstream.groups.consumer.member import (
    JOIN_EPOCH,
    LEAVE_EPOCH,
    LEAVE_STATIC_EPOCH,
    ConsumerMember,
    Partitions,
    owns_only,
)
from kstream.groups.consumer.removal import remove_members
from kstream.groups.consumer.timers import session_key
from kstream.groups.settings import Caller
from kstream.groups.state import GroupState
from kstream.wire.messages.consumer_group_heartbeat import (
    Assignment,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)

_FIRST_VERSION_WITH_OWN_IDS = 1


def check_request(
    request: ConsumerGroupHeartbeatRequest, api_version: int, assignors: tuple[str, ...]
) -> None:
    """What can be said of a request without knowing the group.

    Raises:
        ApiError: INVALID_REQUEST, UNSUPPORTED_ASSIGNOR.
    """
    epoch = request.member_epoch
    if api_version >= _FIRST_VERSION_WITH_OWN_IDS or epoch > JOIN_EPOCH or epoch == LEAVE_EPOCH:
        _check_not_blank("member id", request.member_id)
    _check_not_blank("group id", request.group_id)
    _check_not_blank("instance id", request.instance_id)
    _check_not_blank("rack id", request.rack_id)
    if epoch == JOIN_EPOCH:
        if request.rebalance_timeout_ms == -1:
            raise _invalid("a member that joins must say its rebalance timeout")
        if request.topic_partitions is None or request.topic_partitions:
            raise _invalid("a member that joins must own no partitions, and say so")
        if request.subscribed_topic_names is None and request.subscribed_topic_regex is None:
            raise _invalid("a member that joins must say topic names or a regular expression")
    elif epoch == LEAVE_STATIC_EPOCH:
        if request.instance_id is None:
            raise _invalid("only a member with an instance id can leave for a while")
    elif epoch < LEAVE_STATIC_EPOCH:
        raise _invalid(f"{epoch} is no member epoch")
    if request.server_assignor is not None and request.server_assignor not in assignors:
        raise ApiError(
            ErrorCode.UNSUPPORTED_ASSIGNOR,
            f"assignor {request.server_assignor} is not supported; use one of {', '.join(assignors)}",
        )


def _check_not_blank(what: str, value: str | None) -> None:
    if value is not None and not value.strip():
        raise _invalid(f"the {what} must not be empty")


def _invalid(message: str) -> ApiError:
    return ApiError(ErrorCode.INVALID_REQUEST, message)


def heartbeat(
    state: GroupState, request: ConsumerGroupHeartbeatRequest, caller: Caller, token: object, now_ms: int
) -> Outcome:
    """Carry out one checked request.

    Raises:
        ApiError: GROUP_ID_NOT_FOUND, UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, UNRELEASED_INSTANCE_ID,
            FENCED_INSTANCE_ID, GROUP_MAX_SIZE_REACHED, INVALID_REGULAR_EXPRESSION.
    """
    if request.member_epoch in (LEAVE_EPOCH, LEAVE_STATIC_EPOCH):
        return _leave(state, request, token, now_ms)
    out = Outcome()
    joining: Joining | None = None
    if request.member_epoch == JOIN_EPOCH:
        joining = Joining(state, request.group_id)
        group = joining.group
    else:
        group = state.consumer_group(request.group_id)
    check_room(group, request.member_id, request.instance_id, state.settings.consumer.max_size)
    records = [] if joining is None else joining.records
    if joining is not None:
        old = _joining_member(joining, request)
    else:
        old = group.speaker(request.member_id, request.instance_id)
        _check_epoch(old, request)
        if _says_nothing_new(state, group, old, request, caller):
            out.timers[session_key(group.group_id, old.member_id)] = state.session_timeout_ms(group.group_id)
            return out.reply(token, _response(state, group.group_id, old, None))
    change = MemberChange(state, group, old, _updated(old, request, caller), records, now_ms)
    change.subscribe()
    target_epoch, target = change.assign()
    new = change.reconcile(target_epoch, target, request.topic_partitions, out)
    out.timers[session_key(group.group_id, new.member_id)] = state.session_timeout_ms(group.group_id)
    change.look_for_topics(out)
    if joining is not None:
        joining.complete(out)
    out.records += records
    must_tell = request.member_epoch == JOIN_EPOCH or _is_full(request) or new.assigned != change.old.assigned
    return out.reply(token, _response(state, group.group_id, new, new.assigned if must_tell else None))


def _joining_member(joining: Joining, request: ConsumerGroupHeartbeatRequest) -> ConsumerMember:
    """What the group knows of who joins. Raises ApiError."""
    group = joining.group
    member_id = request.member_id or joining.new_member_id()
    existing = group.static_member(request.instance_id)
    if existing is None:
        return group.members.get(member_id) or ConsumerMember(member_id)
    if not existing.is_classic and existing.member_epoch != LEAVE_STATIC_EPOCH:
        raise ApiError(
            ErrorCode.UNRELEASED_INSTANCE_ID,
            f"instance id {request.instance_id} is in use by {existing.member_id}",
        )
    return replace_static(group, existing, member_id, joining.records)


def _check_epoch(member: ConsumerMember, request: ConsumerGroupHeartbeatRequest) -> None:
    """A member speaks of its present epoch; or of the one before, as long as it has got nothing since that it
    does not have, since the answer may have been lost. Raises ApiError FENCED_MEMBER_EPOCH.
    """
    epoch = request.member_epoch
    if epoch == member.member_epoch:
        return
    is_previous = epoch < member.member_epoch and epoch == member.previous_epoch
    if is_previous and owns_only(request.topic_partitions, member.assigned):
        return
    raise ApiError(
        ErrorCode.FENCED_MEMBER_EPOCH,
        f"epoch {epoch} is not the member's, which is {member.member_epoch}: it must give all up and rejoin",
    )


def _says_nothing_new(
    state: GroupState,
    group: ConsumerGroup,
    member: ConsumerMember,
    request: ConsumerGroupHeartbeatRequest,
    caller: Caller,
) -> bool:
    """The heartbeat that nearly all are: nothing changed, nothing is to be done."""
    return (
        request.member_epoch == member.member_epoch
        and request.subscribed_topic_names is None
        and request.subscribed_topic_regex is None
        and request.rebalance_timeout_ms == -1
        and request.server_assignor is None
        and request.rack_id is None
        and request.instance_id in (None, member.instance_id)
        and member.client_id == caller.client_id
        and member.client_host == caller.client_host
        and not member.is_classic
        and group.epoch == group.assignment_epoch
        and member.is_reconciled_to(group.assignment_epoch)
        and not group.is_metadata_stale
        and not group.regex_subscribers
    )


def consumer_at_ease(
    state: GroupState, request: ConsumerGroupHeartbeatRequest, caller: Caller
) -> ConsumerMember | None:
    """The member of a heartbeat that only renews its session; None if `heartbeat` must look at it. HOT."""
    group = state.consumer_groups.get(request.group_id)
    member = None if group is None else group.members.get(request.member_id)
    if group is None or member is None or not _says_nothing_new(state, group, member, request, caller):
        return None
    return member


def _updated(old: ConsumerMember, request: ConsumerGroupHeartbeatRequest, caller: Caller) -> ConsumerMember:
    """The member with what its request says; null says nothing."""
    names, regex = request.subscribed_topic_names, request.subscribed_topic_regex
    timeout_ms = request.rebalance_timeout_ms
    return old._replace(
        instance_id=old.instance_id if request.instance_id is None else request.instance_id,
        rack_id=old.rack_id if request.rack_id is None else request.rack_id,
        rebalance_timeout_ms=old.rebalance_timeout_ms if timeout_ms == -1 else timeout_ms,
        assignor=old.assignor if request.server_assignor is None else request.server_assignor,
        topic_names=old.topic_names if names is None else frozenset(names),
        topic_regex=old.topic_regex if regex is None else regex,
        client_id=caller.client_id,
        client_host=caller.client_host,
        classic=None,
    )


def _is_full(request: ConsumerGroupHeartbeatRequest) -> bool:
    """Whether the member says everything, as it does when it may have missed an answer."""
    return (
        request.rebalance_timeout_ms != -1
        and (request.subscribed_topic_names is not None or request.subscribed_topic_regex is not None)
        and request.topic_partitions is not None
    )


def _response(
    state: GroupState, group_id: str, member: ConsumerMember, assigned: Partitions | None
) -> ConsumerGroupHeartbeatResponse:
    response = ConsumerGroupHeartbeatResponse(
        member_id=member.member_id,
        member_epoch=member.member_epoch,
        heartbeat_interval_ms=state.cluster.consumer_config(group_id).heartbeat_interval_ms,
    )
    if assigned is not None:
        response.assignment = Assignment(
            topic_partitions=[
                TopicPartitions(topic_id=topic_id, partitions=sorted(epochs))
                for topic_id, epochs in assigned.items()
            ]
        )
    return response


def _leave(state: GroupState, request: ConsumerGroupHeartbeatRequest, token: object, now_ms: int) -> Outcome:
    group = state.consumer_group(request.group_id)
    member = group.speaker(request.member_id, request.instance_id)
    out = Outcome()
    if request.member_epoch == LEAVE_STATIC_EPOCH and request.instance_id is not None:
        # Its session goes on: until it ends the partitions wait for whoever comes with the instance id.
        away = member._replace(
            member_epoch=LEAVE_STATIC_EPOCH,
            assigned={topic_id: dict.fromkeys(epochs, 0) for topic_id, epochs in member.assigned.items()},
            revoking={},
        )
        out.records.append(current_record(group.group_id, away))
    else:
        remove_members(state, group, [member], f"{member.member_id} left", now_ms, out)
    return out.reply(
        token,
        ConsumerGroupHeartbeatResponse(member_id=request.member_id, member_epoch=request.member_epoch),
    )
