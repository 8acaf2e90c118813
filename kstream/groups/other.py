"""Groups of a kind that is not coordinated here, streams groups, as Apache Kafka left them.

Their records are kept as they are, so that Kafka finds its groups again. They are listed, nobody can join
them, and what can be done without a coordinator of their kind is done: one without members takes commits and
can be deleted with its offsets.
"""

from __future__ import annotations

from typing import Any

from kstream.coordinator.outcome import CoordinatorRecord
from kstream.errors import ApiError, ErrorCode
from kstream.records.schemas.group import (
    StreamsGroupCurrentMemberAssignmentKey,
    StreamsGroupMemberMetadataKey,
    StreamsGroupMetadataKey,
    StreamsGroupTargetAssignmentMemberKey,
    StreamsGroupTargetAssignmentMetadataKey,
    StreamsGroupTopologyKey,
)
from kstream.wire.messages.list_groups import ListedGroup
from kstream.wire.schema import Message

STREAMS = "streams"
OTHER_KEYS = (
    StreamsGroupMetadataKey,
    StreamsGroupMemberMetadataKey,
    StreamsGroupTargetAssignmentMetadataKey,
    StreamsGroupTargetAssignmentMemberKey,
    StreamsGroupCurrentMemberAssignmentKey,
    StreamsGroupTopologyKey,
)


class OtherGroup:
    """One group, by the keys of its records."""

    __slots__ = ("_keys", "group_id")

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self._keys: list[Message] = []

    @property
    def is_empty(self) -> bool:
        return not any(isinstance(key, StreamsGroupMemberMetadataKey) for key in self._keys)

    def written(self) -> tuple[object, ...]:
        """All hard state."""
        return (sorted(map(repr, self._keys)),)

    @property
    def is_gone(self) -> bool:
        return not self._keys

    def replay(self, key: Message, *, is_there: bool) -> None:
        """A record was written or deleted."""
        self._keys = [other for other in self._keys if other != key]
        if is_there:
            self._keys.append(key)

    def listed(self) -> ListedGroup:
        """Members are those that it had when Kafka last wrote it down."""
        return ListedGroup(
            group_id=self.group_id,
            protocol_type=STREAMS,
            group_state="Empty" if self.is_empty else "Stable",
            group_type=STREAMS,
        )

    def check_commit(self) -> None:
        """Raises ApiError where positions cannot be committed, or deleted, by somebody who is no member."""
        if not self.is_empty:
            raise ApiError(ErrorCode.UNKNOWN_MEMBER_ID)

    def check_delete(self) -> None:
        """Raises ApiError NON_EMPTY_GROUP."""
        if not self.is_empty:
            raise ApiError(ErrorCode.NON_EMPTY_GROUP)

    def tombstones(self) -> list[CoordinatorRecord]:
        """Records that delete it, but for its offsets."""
        return [CoordinatorRecord(key, None) for key in self._keys]


class OtherGroups(dict[str, OtherGroup]):
    """All of one partition, by id: hard state, which only `replay` changes."""

    def replay(self, key: Any, value: Message | None) -> None:
        """Take over one record; `key` is of `OTHER_KEYS`."""
        group_id: str = key.group_id
        group = self.get(group_id)
        if group is None:
            if value is None:
                return
            group = self[group_id] = OtherGroup(group_id)
        group.replay(key, is_there=value is not None)
        if group.is_gone:
            del self[group_id]
