"""ShareGroupHeartbeat: a member joins, stays and is assigned, leaves.

A member joins in epoch 0 with an id of its own and the names of topics. It gets what the target assignment
gives it and is in that assignment's epoch from then on. It may speak of the epoch before, since an answer may
have been lost.

Partitions are assigned once they are initialized, which begins with the first heartbeat that subscribes to
them. In Kafka the member gets them with a later one. Here a caller may ask that nothing be assigned while
something is being initialized (`defers`), and let the member's heartbeat go on when that is done: so it
brings partitions at once, and no assignment without them stands in the way of the next.
"""

from __future__ import annotations

from typing import NamedTuple

from kstream.coordinator.outcome import Notice, Outcome, TimerKey
from kstream.errors import ApiError, ErrorCode
from kstream.groups.consumer.member import JOIN_EPOCH, LEAVE_EPOCH
from kstream.groups.consumer.metadata_hash import group_hash
from kstream.groups.settings import Caller
from kstream.groups.share.changes import ShareChange
from kstream.groups.share.group import ShareGroup
from kstream.groups.share.initializing import begin, is_under_way
from kstream.groups.share.member import ShareMember
from kstream.groups.share.share_records import epoch_record, member_tombstones, target_epoch_record
from kstream.groups.share.timers import session_key
from kstream.groups.state import GroupState
from kstream.wire.messages.share_group_heartbeat import (
    Assignment,
    ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
    TopicPartitions,
)

_MEMBER_ID_LENGTH_MAX = 36


def check_request(request: ShareGroupHeartbeatRequest) -> None:
    """What can be said of a request without knowing the group. Raises ApiError INVALID_REQUEST."""
    if not 0 < len(request.member_id) <= _MEMBER_ID_LENGTH_MAX:
        raise ApiError(ErrorCode.INVALID_REQUEST)
    _check_not_blank("member id", request.member_id)
    _check_not_blank("group id", request.group_id)
    _check_not_blank("rack id", request.rack_id)
    if request.member_epoch == JOIN_EPOCH and not request.subscribed_topic_names:
        raise _invalid("a member that joins must subscribe to topics")
    if request.member_epoch < LEAVE_EPOCH:
        raise _invalid(f"{request.member_epoch} is no member epoch")


def _check_not_blank(what: str, value: str | None) -> None:
    if value is not None and not value.strip():
        raise _invalid(f"the {what} must not be empty")


def _invalid(message: str) -> ApiError:
    return ApiError(ErrorCode.INVALID_REQUEST, message)


class Deferred(NamedTuple):
    """The answer to a heartbeat that has not been given what is only just being initialized."""

    response: ShareGroupHeartbeatResponse


def heartbeat(
    state: GroupState,
    request: ShareGroupHeartbeatRequest,
    caller: Caller,
    token: object,
    now_ms: int,
    *,
    defers: bool = False,
) -> Outcome:
    """Carry out one checked request. With `defers` the answer may be a `Deferred` one.

    Raises:
        ApiError: GROUP_ID_NOT_FOUND, UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, GROUP_MAX_SIZE_REACHED.
    """
    group_id, member_id = request.group_id, request.member_id
    if request.member_epoch == LEAVE_EPOCH:
        group = state.share_group(group_id)
        out = remove_member(state, group, group.member(member_id), "it left")
        response = ShareGroupHeartbeatResponse(member_id=member_id, member_epoch=LEAVE_EPOCH)
        return out.reply(token, response)
    is_joining = request.member_epoch == JOIN_EPOCH
    group = state.share_group_to_join(group_id) if is_joining else state.share_group(group_id)
    config = state.cluster.share_config(group_id)
    if member_id not in group.members:
        is_exclusive = state.cluster.is_exclusive(group_id, request.subscribed_topic_names or ())
        _check_room(group, 1 if is_exclusive else state.settings.share.max_size)
    old = group.members.get(member_id) if is_joining else group.member(member_id)
    if old is None:
        old = ShareMember(member_id)
    _check_epoch(old, request.member_epoch)
    change = ShareChange(state.cluster, group, old, _updated(old, request, caller), now_ms)
    change.subscribe()
    out = Outcome()
    begin(state, group, change.epoch, change.names, now_ms, out)
    is_deferred = defers and is_under_way(state, group_id, change.names)
    if is_deferred:
        target_epoch, target = group.assignment_epoch, group.target_of(member_id)
    else:
        target_epoch, target = change.assign(config.assignment_interval_ms)
    change.follow(target_epoch, target)
    out.records[:0] = change.records
    out.timers[session_key(group_id, member_id)] = config.session_timeout_ms
    response = ShareGroupHeartbeatResponse(
        member_id=member_id,
        member_epoch=change.new.member_epoch,
        heartbeat_interval_ms=config.heartbeat_interval_ms,
    )
    must_tell = request.subscribed_topic_names is not None or change.new.assigned != old.assigned
    if must_tell:
        response.assignment = Assignment(
            topic_partitions=[
                TopicPartitions(topic_id=topic_id, partitions=sorted(partitions))
                for topic_id, partitions in change.new.assigned.items()
            ]
        )
    return out.reply(token, Deferred(response) if is_deferred else response)


def _check_room(group: ShareGroup, size_max: int) -> None:
    """Raises ApiError GROUP_MAX_SIZE_REACHED for somebody new in a group that is full."""
    if len(group.members) >= size_max:
        raise ApiError(ErrorCode.GROUP_MAX_SIZE_REACHED, f"the group has {size_max} members already")


def _check_epoch(member: ShareMember, epoch: int) -> None:
    """Raises ApiError FENCED_MEMBER_EPOCH."""
    if epoch not in (JOIN_EPOCH, member.member_epoch) and (
        epoch > member.member_epoch or epoch != member.previous_epoch
    ):
        raise ApiError(
            ErrorCode.FENCED_MEMBER_EPOCH,
            f"epoch {epoch} is not the member's, which is {member.member_epoch}: it must give all up and "
            "rejoin",
        )


def _updated(old: ShareMember, request: ShareGroupHeartbeatRequest, caller: Caller) -> ShareMember:
    """The member with what its request says; null says nothing."""
    names = request.subscribed_topic_names
    return old._replace(
        rack_id=old.rack_id if request.rack_id is None else request.rack_id,
        topic_names=old.topic_names if names is None else frozenset(names),
        client_id=caller.client_id,
        client_host=caller.client_host,
    )


def remove_member(state: GroupState, group: ShareGroup, member: ShareMember, reason: str) -> Outcome:
    """A member goes: it left, or was not heard of in time."""
    out = Outcome()
    group_id = group.group_id
    out.effects.append(Notice(f"share group {group_id}: {member.member_id} is removed: {reason}"))
    out.records += member_tombstones(group_id, member.member_id)
    metadata_hash = group_hash(group.topic_names_with(member, None), state.cluster)
    out.records.append(epoch_record(group_id, group.epoch + 1, metadata_hash))
    if len(group.members) == 1:
        # Nobody is left whom the next assignment could follow too closely.
        out.records.append(target_epoch_record(group_id, group.epoch + 1, 0))
    out.timers[session_key(group_id, member.member_id)] = None
    return out


def on_session_timer(state: GroupState, key: TimerKey) -> Outcome:
    """A member was silent for its session timeout."""
    group = state.share_groups.get(str(key[1]))
    member = None if group is None else group.members.get(str(key[2]))
    if group is None or member is None:
        return Outcome()
    return remove_member(state, group, member, "its session ended")
