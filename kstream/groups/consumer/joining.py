"""The group that somebody joins: there already, made for it, or a classic one that becomes one of KIP-848."""

from __future__ import annotations

from kstream.coordinator.outcome import CoordinatorRecord, Outcome
from kstream.errors import ApiError, ErrorCode
from kstream.groups.consumer.consumer_records import (
    current_record,
    member_record,
    member_tombstones,
    target_record,
)
from kstream.groups.consumer.group import ConsumerGroup
from kstream.groups.consumer.member import JOIN_EPOCH, ConsumerMember
from kstream.groups.consumer.upgrade import complete_upgrade, upgrade_records
from kstream.groups.group_records import group_tombstone
from kstream.groups.state import GroupState


class Joining:
    """The group of one join, and the records that come before those of the member."""

    __slots__ = ("_state", "group", "records")

    def __init__(self, state: GroupState, group_id: str) -> None:
        """Raises ApiError GROUP_ID_NOT_FOUND for a group that cannot be one of KIP-848."""
        self._state = state
        self.records: list[CoordinatorRecord] = []
        classic = state.groups.get(group_id)
        group = state.consumer_groups.get(group_id)
        if group is None:
            group = ConsumerGroup(group_id)
            if classic is not None and classic.is_empty:
                self.records.append(group_tombstone(group_id))
            elif classic is not None:
                self.records += upgrade_records(state, classic)
                for record in self.records[1:]:
                    group.replay(record.key, record.value)
            elif state.has_group(group_id):
                raise ApiError(ErrorCode.GROUP_ID_NOT_FOUND, f"group {group_id} is not a consumer group")
        self.group = group

    def new_member_id(self) -> str:
        """For who came without one."""
        return self._state.new_member_id(None)

    def complete(self, out: Outcome) -> None:
        """Nothing can go wrong any more: if this turns a classic group into another, tell who waits in it."""
        classic = self._state.groups.get(self.group.group_id)
        if classic is not None:
            complete_upgrade(classic, out)


def check_room(group: ConsumerGroup, member_id: str, instance_id: str | None, size_max: int) -> None:
    """Raises ApiError GROUP_MAX_SIZE_REACHED for somebody new in a group that is full."""
    is_known = member_id in group.members or group.static_member(instance_id) is not None
    if not is_known and len(group.members) >= size_max:
        raise ApiError(ErrorCode.GROUP_MAX_SIZE_REACHED, f"the group has {size_max} members already")


def replace_static(
    group: ConsumerGroup, existing: ConsumerMember, member_id: str, records: list[CoordinatorRecord]
) -> ConsumerMember:
    """Put a static member's new id in place of the old one; it has what the old one had, in epoch 0."""
    new = existing._replace(member_id=member_id, member_epoch=JOIN_EPOCH, previous_epoch=0)
    records += member_tombstones(group.group_id, existing.member_id)
    records.append(member_record(group.group_id, new))
    records.append(target_record(group.group_id, member_id, group.targets.get(existing.member_id, {})))
    records.append(current_record(group.group_id, new))
    return new
