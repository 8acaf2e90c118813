"""What one partition of `__consumer_offsets` holds: groups and offsets, and how records change them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from kstream.coordinator.outcome import CoordinatorRecord
from kstream.errors import ApiError, ErrorCode
from kstream.groups.classic import ClassicGroup
from kstream.groups.cluster import Cluster, EmptyCluster
from kstream.groups.consumer.group import RECORD_KEYS, ConsumerGroup
from kstream.groups.group_records import group_from_value
from kstream.groups.offsets import OffsetStore
from kstream.groups.other import OTHER_KEYS, OtherGroups
from kstream.groups.settings import GroupSettings
from kstream.groups.share.group import RECORD_KEYS as SHARE_RECORD_KEYS
from kstream.groups.share.group import ShareGroup
from kstream.records.schemas.group import (
    ConsumerGroupMetadataKey,
    GroupMetadataKey,
    GroupMetadataValue,
    LegacyOffsetCommitKey,
    LegacyOffsetCommitValue,
    OffsetCommitKey,
    OffsetCommitValue,
    ShareGroupMetadataKey,
)
from kstream.wire.schema import Message
from kstream.wire.uuids import format_uuid, random_uuid


def random_member_id(prefix: str | None) -> str:
    """A member id that nobody else has: of a classic group, or one of KIP-848, whose ids have no prefix."""
    return format_uuid(random_uuid()) if prefix is None else f"{prefix}-{uuid.uuid4()}"


class GroupState:
    """Groups by id and their offsets. Operations are functions in the other files of this package."""

    def __init__(
        self,
        settings: GroupSettings,
        new_member_id: Callable[[str | None], str] = random_member_id,
        cluster: Cluster | None = None,
    ) -> None:
        self.settings = settings
        self.cluster = cluster or EmptyCluster()
        self.new_member_id = new_member_id
        self.groups: dict[str, ClassicGroup] = {}
        """Classic ones, and those that only have offsets. An id is of one kind of group alone."""
        self.consumer_groups: dict[str, ConsumerGroup] = {}
        self.share_groups: dict[str, ShareGroup] = {}
        self.downgraded: dict[str, ClassicGroup] = {}
        """Classic groups that take a consumer group's place once their record is replayed."""
        self.resolving: set[str] = set()
        """Groups whose regular expressions are about to be resolved."""
        self.initializing_since_ms: dict[tuple[str, bytes], int] = {}
        """When share states of a group in a topic (its id) were last to be initialized. Soft state: what is
        not here is not under way."""
        self.offsets = OffsetStore()
        self.other_groups = OtherGroups()
        """Those that a broker wrote which coordinates their kinds: not to be taken over."""

    def consumer_group(self, group_id: str) -> ConsumerGroup:
        """Raises ApiError GROUP_ID_NOT_FOUND."""
        group = self.consumer_groups.get(group_id)
        if group is None:
            raise ApiError(ErrorCode.GROUP_ID_NOT_FOUND, f"there is no consumer group {group_id}")
        return group

    def share_group(self, group_id: str) -> ShareGroup:
        """Raises ApiError GROUP_ID_NOT_FOUND."""
        group = self.share_groups.get(group_id)
        if group is None:
            raise ApiError(ErrorCode.GROUP_ID_NOT_FOUND, self._no_share_group(group_id))
        return group

    def share_group_to_join(self, group_id: str) -> ShareGroup:
        """One that is there, or an empty one that nothing is written of. Raises ApiError GROUP_ID_NOT_FOUND
        where the id is that of a group of another kind.
        """
        if group_id not in self.share_groups and self.has_group(group_id):
            raise ApiError(ErrorCode.GROUP_ID_NOT_FOUND, self._no_share_group(group_id))
        return self.share_groups.get(group_id) or ShareGroup(group_id)

    def _no_share_group(self, group_id: str) -> str:
        is_other = self.has_group(group_id)
        return f"group {group_id} is not a share group" if is_other else f"there is no share group {group_id}"

    def has_group(self, group_id: str) -> bool:
        """Whether there is a group of this id, of whatever kind."""
        kinds = (self.groups, self.consumer_groups, self.share_groups, self.other_groups)
        return any(group_id in kind for kind in kinds)

    def session_timeout_ms(self, group_id: str) -> int:
        """Of members of a consumer group."""
        return self.cluster.consumer_config(group_id).session_timeout_ms

    def written(self) -> tuple[object, ...]:
        """All hard state: equal in a shard that replayed the same records."""
        return (
            {group_id: group.written for group_id, group in self.groups.items()},
            {group_id: group.written() for group_id, group in self.consumer_groups.items()},
            {group_id: group.written() for group_id, group in self.share_groups.items()},
            self.offsets,
            {group_id: group.written() for group_id, group in self.other_groups.items()},
        )

    def replay(self, record: CoordinatorRecord, producer_id: int) -> None:
        """Take over one record, whether an operation has just made it or the log had it."""
        key, value, _ = record
        if isinstance(key, OffsetCommitKey):
            self._replay_offset(key, value, producer_id)
        elif isinstance(key, GroupMetadataKey):
            self._replay_group(key.group, value)
        elif isinstance(key, RECORD_KEYS):
            self._replay_consumer_group(key, value)
        elif isinstance(key, SHARE_RECORD_KEYS):
            self._replay_share_group(key, value)
        elif isinstance(key, LegacyOffsetCommitKey):
            self._replay_offset(*_modern(key, value), producer_id)
        elif isinstance(key, OTHER_KEYS):
            self.other_groups.replay(key, value)

    def end_transaction(self, producer_id: int, *, is_commit: bool) -> None:
        """The marker that ends a transaction was read or written."""
        for group_id in self.offsets.end_transaction(producer_id, is_commit=is_commit):
            self._ensure_group(group_id)

    def _replay_offset(self, key: OffsetCommitKey, value: Message | None, producer_id: int) -> None:
        if value is None:
            self.offsets.replay(key, None, producer_id)
            return
        assert isinstance(value, OffsetCommitValue)
        self.offsets.replay(key, value, producer_id)
        if key.group not in self.groups:
            self._ensure_group(key.group)

    def _ensure_group(self, group_id: str) -> None:
        """Who commits without being a member is a group by that alone, a "simple" one."""
        if not self.has_group(group_id):
            self.groups[group_id] = ClassicGroup(group_id)

    def _replay_group(self, group_id: str, value: Message | None) -> None:
        if value is None:
            self.groups.pop(group_id, None)
            return
        assert isinstance(value, GroupMetadataValue)
        group = self.groups.get(group_id) or self.downgraded.pop(group_id, None) or ClassicGroup(group_id)
        group.written = value
        self.groups[group_id] = group
        self.consumer_groups.pop(group_id, None)

    def _replay_consumer_group(self, key: Any, value: Message | None) -> None:
        group = self.consumer_groups.get(key.group_id)
        if group is None:
            if value is None:
                return
            self.groups.pop(key.group_id, None)
            group = self.consumer_groups[key.group_id] = ConsumerGroup(key.group_id)
        group.replay(key, value)
        if value is None and isinstance(key, ConsumerGroupMetadataKey):
            del self.consumer_groups[key.group_id]

    def _replay_share_group(self, key: Any, value: Message | None) -> None:
        group = self.share_groups.get(key.group_id)
        if group is None:
            if value is None:
                return
            group = self.share_groups[key.group_id] = ShareGroup(key.group_id)
        group.replay(key, value)
        if value is None and isinstance(key, ShareGroupMetadataKey):
            del self.share_groups[key.group_id]

    def rebuild(self) -> None:
        """After the log was replayed: make every group what was last written of it."""
        for group_id, group in self.groups.items():
            if group.written is not None:
                self.groups[group_id] = group_from_value(group_id, group.written)


def _modern(
    key: LegacyOffsetCommitKey, value: Message | None
) -> tuple[OffsetCommitKey, OffsetCommitValue | None]:
    modern = OffsetCommitKey(group=key.group, topic=key.topic, partition=key.partition)
    if not isinstance(value, LegacyOffsetCommitValue):
        return modern, None
    return modern, OffsetCommitValue(
        offset=value.offset, metadata=value.metadata, commit_timestamp=value.commit_timestamp
    )
