"""ListGroups, DescribeGroups and DeleteGroups: what operators see of groups, and how they remove them."""

from __future__ import annotations

from collections.abc import Sequence

from kstream.coordinator.outcome import CoordinatorRecord, Outcome
from kstream.errors import ApiError, ErrorCode
from kstream.groups.classic import ClassicGroup
from kstream.groups.consumer.group import ConsumerGroup
from kstream.groups.group_records import group_tombstone, offset_tombstone
from kstream.groups.other import OtherGroup
from kstream.groups.settings import Caller
from kstream.groups.share.group import ShareGroup
from kstream.groups.state import GroupState
from kstream.groups.states import ClassicState
from kstream.groups.subscriptions import CONSUMER
from kstream.wire.messages.delete_groups import DeletableGroupResult
from kstream.wire.messages.describe_groups import DescribedGroup, DescribedGroupMember
from kstream.wire.messages.list_groups import ListedGroup

CLASSIC_TYPE = "classic"
CONSUMER_TYPE = "consumer"
SHARE_TYPE = "share"
_FIRST_VERSION_WITH_NOT_FOUND = 6


def list_groups(
    state: GroupState, states_filter: Sequence[str], types_filter: Sequence[str]
) -> list[ListedGroup]:
    """Groups in any of the states and of any of the types; an empty filter lets all pass. Case is ignored."""
    states = {name.lower() for name in states_filter}
    types = {name.lower() for name in types_filter}
    listed = [
        ListedGroup(
            group_id=group.group_id,
            protocol_type=group.protocol_type or "",
            group_state=group.state.value,
            group_type=CLASSIC_TYPE,
        )
        for group in state.groups.values()
    ]
    listed += [
        ListedGroup(
            group_id=group_id, protocol_type=CONSUMER, group_state=group.state.value, group_type=CONSUMER_TYPE
        )
        for group_id, group in state.consumer_groups.items()
    ]
    listed += [
        ListedGroup(
            group_id=group_id, protocol_type=SHARE_TYPE, group_state=group.state.value, group_type=SHARE_TYPE
        )
        for group_id, group in state.share_groups.items()
    ]
    listed += [group.listed() for group in state.other_groups.values()]
    return [
        group
        for group in listed
        if (not types or group.group_type in types) and (not states or group.group_state.lower() in states)
    ]


def describe_group(state: GroupState, group_id: str, caller: Caller) -> DescribedGroup:
    """One group with its members; one that does not exist is Dead, and from version 6 on an error."""
    group = state.groups.get(group_id)
    if group is None:
        # One of KIP-848 is not for this API: tools try ConsumerGroupDescribe first.
        answer = DescribedGroup(group_id=group_id, group_state=ClassicState.DEAD.value)
        if caller.api_version >= _FIRST_VERSION_WITH_NOT_FOUND:
            answer.error_code = ErrorCode.GROUP_ID_NOT_FOUND
            what = "is not a classic group" if state.has_group(group_id) else "not found"
            answer.error_message = f"Group {group_id} {what}."
        return answer
    is_stable = group.state is ClassicState.STABLE
    return DescribedGroup(
        group_id=group_id,
        group_state=group.state.value,
        protocol_type=group.protocol_type or "",
        protocol_data=(group.protocol_name or "") if is_stable else "",
        members=_members(group, is_stable),
    )


def _members(group: ClassicGroup, is_stable: bool) -> list[DescribedGroupMember]:
    """Members; what they subscribe to is shown once they agree on a protocol."""
    name = group.protocol_name or ""
    return [
        DescribedGroupMember(
            member_id=member.member_id,
            group_instance_id=member.instance_id,
            client_id=member.client_id,
            client_host=member.client_host,
            member_metadata=member.protocols.get(name, b"") if is_stable else b"",
            member_assignment=member.assignment,
        )
        for member in group.members.values()
    ]


AnyGroup = ClassicGroup | ConsumerGroup | ShareGroup | OtherGroup


def group_tombstones(group: AnyGroup) -> list[CoordinatorRecord]:
    """Records that delete a group without members, but for its offsets."""
    return [group_tombstone(group.group_id)] if isinstance(group, ClassicGroup) else group.tombstones()


def _check_delete(group: AnyGroup) -> None:
    """Raises ApiError for a group that cannot be deleted."""
    if isinstance(group, OtherGroup):
        group.check_delete()
    elif not group.is_empty:
        raise ApiError(ErrorCode.NON_EMPTY_GROUP)


def delete_group(state: GroupState, group_id: str, token: object) -> Outcome:
    """Delete a group that has no members, with its offsets. What a share group keeps elsewhere must be gone
    already: see `kstream.groups.share.offsets.begin_deletion`.
    """
    out = Outcome()
    result = DeletableGroupResult(group_id=group_id)
    group: AnyGroup | None = (
        state.consumer_groups.get(group_id)
        or state.groups.get(group_id)
        or state.share_groups.get(group_id)
        or state.other_groups.get(group_id)
    )
    if group is None:
        result.error_code = ErrorCode.GROUP_ID_NOT_FOUND
        return out.reply(token, result)
    try:
        _check_delete(group)
    except ApiError as error:
        result.error_code = error.code
        return out.reply(token, result)
    positions = {(topic, index) for topic, index, _ in state.offsets.of_group(group_id)}
    positions.update(state.offsets.pending_of_group(group_id))
    out.records += [offset_tombstone(group_id, topic, index) for topic, index in sorted(positions)]
    out.records += group_tombstones(group)
    return out.reply(token, result)
