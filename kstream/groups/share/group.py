"""A share group: what its records say, and what is counted from that.

Only `replay` changes it, but for what is marked as soft state. Members are values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from kstream.coordinator.outcome import CoordinatorRecord
from kstream.errors import ApiError, ErrorCode
from kstream.groups.consumer.member import Target
from kstream.groups.share.member import NOTHING, ShareMember
from kstream.groups.share.partitions import StatePartitions
from kstream.groups.share.share_records import (
    group_tombstones,
    member_tombstones,
    partitions_from,
    target_from,
    with_assignment,
    with_metadata,
)
from kstream.groups.share.states import ShareState
from kstream.records.schemas.group_share import (
    ShareGroupCurrentMemberAssignmentKey,
    ShareGroupMemberMetadataKey,
    ShareGroupMetadataKey,
    ShareGroupStatePartitionMetadataKey,
    ShareGroupTargetAssignmentMemberKey,
    ShareGroupTargetAssignmentMetadataKey,
)
from kstream.wire.schema import Message


class ShareGroup:
    """One group. It is removed by whoever holds it once its epoch's tombstone comes."""

    __slots__ = (
        "_subscribers",
        "assignment_epoch",
        "assignment_timestamp_ms",
        "epoch",
        "group_id",
        "members",
        "metadata_hash",
        "partitions",
        "refreshed_epoch",
        "targets",
    )

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.epoch = 1
        self.metadata_hash = 0
        self.assignment_epoch = 1
        self.assignment_timestamp_ms = 0
        """When the target assignment was computed; 0 if that was not because of members that are there."""
        self.members: dict[str, ShareMember] = {}
        self.targets: dict[str, Target] = {}
        """The target assignment by member id."""
        self.partitions: StatePartitions | None = None
        """None as long as nothing was ever to be initialized."""
        self._subscribers: Counter[str] = Counter()
        # Soft state.
        self.refreshed_epoch: int | None = None
        """The group epoch that the topics were last looked at for; None once one of them has changed."""

    def __repr__(self) -> str:
        return f"ShareGroup({self.group_id!r}, {self.state}, epoch={self.epoch})"

    def written(self) -> tuple[Any, ...]:
        """All hard state: equal in a group that replayed the same records."""
        return (
            (self.epoch, self.metadata_hash, self.assignment_epoch, self.assignment_timestamp_ms),
            (self.members, self.targets, self.partitions, self._subscribers),
        )

    @property
    def state(self) -> ShareState:
        return ShareState.STABLE if self.members else ShareState.EMPTY

    @property
    def is_empty(self) -> bool:
        return not self.members

    @property
    def is_metadata_stale(self) -> bool:
        """Whether topics may have changed since they were looked at, or what was seen was not written."""
        return self.refreshed_epoch is None or self.epoch < self.refreshed_epoch

    def member(self, member_id: str) -> ShareMember:
        """Raises ApiError UNKNOWN_MEMBER_ID."""
        try:
            return self.members[member_id]
        except KeyError:
            raise ApiError(
                ErrorCode.UNKNOWN_MEMBER_ID, f"{member_id} is not a member of group {self.group_id}"
            ) from None

    def check_empty(self) -> None:
        """Raises ApiError NON_EMPTY_GROUP."""
        if self.members:
            raise ApiError(
                ErrorCode.NON_EMPTY_GROUP, f"group {self.group_id} has {len(self.members)} members"
            )

    def target_of(self, member_id: str) -> Target:
        """A member's part of the target assignment."""
        return self.targets.get(member_id, NOTHING)

    def topic_names(self) -> set[str]:
        """Everything that members subscribe to."""
        return set(self._subscribers)

    def subscribes_to(self, topic: str) -> bool:
        return topic in self._subscribers

    def topic_names_with(self, old: ShareMember, new: ShareMember | None) -> set[str]:
        """What `topic_names` would be with one member in place of another, or of none."""
        names = self._subscribers.copy()
        if old.member_id in self.members:
            names.subtract(old.topic_names)
        if new is not None:
            names.update(new.topic_names)
        return set(+names)

    def tombstones(self) -> list[CoordinatorRecord]:
        """Records that delete it, without its share states."""
        of_members = [record for each in self.members for record in member_tombstones(self.group_id, each)]
        return [*of_members, *group_tombstones(self.group_id)]

    # Replay

    def replay(self, key: Message, value: Any) -> None:
        """Take over one record of this group. The group's own tombstone is for whoever holds the group."""
        _REPLAYS[type(key)](self, key, value)

    def _replay_metadata(self, key: ShareGroupMetadataKey, value: Any) -> None:
        if value is not None:
            self.epoch, self.metadata_hash = value.epoch, value.metadata_hash

    def _replay_member(self, key: ShareGroupMemberMetadataKey, value: Any) -> None:
        old = self.members.pop(key.member_id, None)
        for name in () if old is None else old.topic_names:
            self._subscribers[name] -= 1
            if not self._subscribers[name]:
                del self._subscribers[name]
        if value is not None:
            new = self.members[key.member_id] = with_metadata(old or ShareMember(key.member_id), value)
            self._subscribers.update(new.topic_names)

    def _replay_current(self, key: ShareGroupCurrentMemberAssignmentKey, value: Any) -> None:
        old = self.members.get(key.member_id)
        if old is not None or value is not None:
            self.members[key.member_id] = with_assignment(old or ShareMember(key.member_id), value)

    def _replay_target_epoch(self, key: ShareGroupTargetAssignmentMetadataKey, value: Any) -> None:
        if value is None:
            self.assignment_epoch, self.assignment_timestamp_ms = -1, 0
        else:
            self.assignment_epoch = value.assignment_epoch
            self.assignment_timestamp_ms = value.assignment_timestamp

    def _replay_target(self, key: ShareGroupTargetAssignmentMemberKey, value: Any) -> None:
        if value is None:
            self.targets.pop(key.member_id, None)
        else:
            self.targets[key.member_id] = target_from(value)

    def _replay_partitions(self, key: ShareGroupStatePartitionMetadataKey, value: Any) -> None:
        self.partitions = None if value is None else partitions_from(value)


_REPLAYS: dict[type[Message], Callable[[ShareGroup, Any, Any], None]] = {
    ShareGroupCurrentMemberAssignmentKey: ShareGroup._replay_current,
    ShareGroupMemberMetadataKey: ShareGroup._replay_member,
    ShareGroupMetadataKey: ShareGroup._replay_metadata,
    ShareGroupStatePartitionMetadataKey: ShareGroup._replay_partitions,
    ShareGroupTargetAssignmentMemberKey: ShareGroup._replay_target,
    ShareGroupTargetAssignmentMetadataKey: ShareGroup._replay_target_epoch,
}
RECORD_KEYS = tuple(_REPLAYS)
"""Keys of the records that a share group is made of."""
