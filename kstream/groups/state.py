"""What one partition of `__consumer_offsets` holds: groups and offsets, and how records change them."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from kstream.coordinator.outcome import CoordinatorRecord
from kstream.groups.classic import ClassicGroup
from kstream.groups.group_records import group_from_value
from kstream.groups.offsets import OffsetStore
from kstream.groups.settings import GroupSettings
from kstream.records.schemas.group import (
    ConsumerGroupMetadataKey,
    GroupMetadataKey,
    GroupMetadataValue,
    LegacyOffsetCommitKey,
    LegacyOffsetCommitValue,
    OffsetCommitKey,
    OffsetCommitValue,
    ShareGroupMetadataKey,
    StreamsGroupMetadataKey,
)
from kstream.wire.schema import Message

_OTHER_KINDS = (ConsumerGroupMetadataKey, ShareGroupMetadataKey, StreamsGroupMetadataKey)


def random_member_id(prefix: str) -> str:
    """A member id that nobody else has."""
    return f"{prefix}-{uuid.uuid4()}"


class GroupState:
    """Groups by id and their offsets. Operations are functions in the other files of this package."""

    def __init__(
        self, settings: GroupSettings, new_member_id: Callable[[str], str] = random_member_id
    ) -> None:
        self.settings = settings
        self.new_member_id = new_member_id
        self.groups: dict[str, ClassicGroup] = {}
        self.offsets = OffsetStore()
        self.other_groups: set[str] = set()
        """Ids of groups of newer kinds, which a broker that coordinates those wrote: not to be taken over."""

    def written(self) -> tuple[dict[str, GroupMetadataValue | None], OffsetStore, set[str]]:
        """All hard state: equal in a shard that replayed the same records."""
        return (
            {group_id: group.written for group_id, group in self.groups.items()},
            self.offsets,
            self.other_groups,
        )

    def replay(self, record: CoordinatorRecord, producer_id: int) -> None:
        """Take over one record, whether an operation has just made it or the log had it."""
        key, value, _ = record
        if isinstance(key, OffsetCommitKey):
            self._replay_offset(key, value, producer_id)
        elif isinstance(key, GroupMetadataKey):
            self._replay_group(key.group, value)
        elif isinstance(key, LegacyOffsetCommitKey):
            self._replay_offset(*_modern(key, value), producer_id)
        elif isinstance(key, _OTHER_KINDS):
            if value is None:
                self.other_groups.discard(key.group_id)
            else:
                self.other_groups.add(key.group_id)

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
        if group_id not in self.groups and group_id not in self.other_groups:
            self.groups[group_id] = ClassicGroup(group_id)

    def _replay_group(self, group_id: str, value: Message | None) -> None:
        if value is None:
            self.groups.pop(group_id, None)
            return
        assert isinstance(value, GroupMetadataValue)
        group = self.groups.get(group_id)
        if group is None:
            group = self.groups[group_id] = ClassicGroup(group_id)
        group.written = value

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
