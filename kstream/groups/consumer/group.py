"""A consumer group: what its records say, and what is counted from that.

Only `replay` changes it, but for what is marked as soft state. Members are values; to see what a group would
be like with another member in place of one, ask with `old` and `new`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kstream.coordinator.hashing import java_hash, java_map_order
from kstream.coordinator.outcome import CoordinatorRecord
from kstream.errors import ApiError, ErrorCode
from kstream.groups.consumer.consumer_records import (
    ResolvedRegex,
    group_tombstones,
    target_from,
    with_assignment,
    with_metadata,
)
from kstream.groups.consumer.member import LEAVE_EPOCH, ConsumerMember, Partitions, Target
from kstream.groups.consumer.states import ConsumerState
from kstream.records.schemas.group_consumer import (
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupMemberMetadataKey,
    ConsumerGroupMetadataKey,
    ConsumerGroupPartitionMetadataKey,
    ConsumerGroupRegularExpressionKey,
    ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMetadataKey,
)
from kstream.wire.schema import Message

NO_OWNER = -1


class ConsumerGroup:
    """One group. It is removed by whoever holds it once its epoch's tombstone comes."""

    __slots__ = (
        "_classic_protocols",
        "_name_subscribers",
        "_owner_epochs",
        "_regex_topics",
        "assignment_epoch",
        "assignment_timestamp_ms",
        "assignors",
        "awaiting_join",
        "classic_count",
        "epoch",
        "group_id",
        "has_partition_metadata",
        "members",
        "metadata_hash",
        "refreshed_epoch",
        "regex_subscribers",
        "regexes",
        "static_members",
        "targets",
    )

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.epoch = 1
        self.metadata_hash = 0
        self.assignment_epoch = 1
        self.assignment_timestamp_ms = 0
        """When the target assignment was computed; 0 if that was not because of members that are there."""
        self.members: dict[str, ConsumerMember] = {}
        self.targets: dict[str, Target] = {}
        """The target assignment by member id."""
        self.regexes: dict[str, ResolvedRegex] = {}
        self.has_partition_metadata = False
        """Whether a record of Kafka up to 4.0 is left, to be deleted at the next opportunity."""
        self.static_members: dict[str, str] = {}
        """Member ids by group.instance.id."""
        self.assignors: Counter[str] = Counter()
        """How many members ask for which."""
        self.classic_count = 0
        self.regex_subscribers: Counter[str] = Counter()
        self._classic_protocols: Counter[str] = Counter()
        self._name_subscribers: Counter[str] = Counter()
        self._regex_topics: Counter[str] = Counter()
        self._owner_epochs: dict[bytes, dict[int, int]] = {}
        # Soft state.
        self.refreshed_epoch: int | None = None
        """The group epoch that the topics were last looked at for; None once one of them has changed."""
        self.awaiting_join: set[str] = set()
        """Classic members that were told to join again, and have a timer for it."""

    def __repr__(self) -> str:
        return f"ConsumerGroup({self.group_id!r}, {self.state}, epoch={self.epoch})"

    def written(self) -> tuple[Any, ...]:
        """All hard state: equal in a group that replayed the same records."""
        return (
            (self.epoch, self.metadata_hash, self.has_partition_metadata),
            (self.assignment_epoch, self.assignment_timestamp_ms),
            (self.members, self.targets, self.regexes, self.static_members),
            (self.assignors, self.classic_count, self.regex_subscribers, self._classic_protocols),
            (self._name_subscribers, self._regex_topics, self._owner_epochs),
        )

    # What follows from the records

    @property
    def state(self) -> ConsumerState:
        if not self.members:
            return ConsumerState.EMPTY
        if self.epoch > self.assignment_epoch:
            return ConsumerState.ASSIGNING
        if all(member.is_reconciled_to(self.assignment_epoch) for member in self.members.values()):
            return ConsumerState.STABLE
        return ConsumerState.RECONCILING

    @property
    def is_empty(self) -> bool:
        return not self.members

    @property
    def is_metadata_stale(self) -> bool:
        """Whether topics may have changed since they were looked at, or what was seen was not written."""
        return self.refreshed_epoch is None or self.epoch < self.refreshed_epoch

    def member(self, member_id: str) -> ConsumerMember:
        """Raises ApiError UNKNOWN_MEMBER_ID."""
        try:
            return self.members[member_id]
        except KeyError:
            raise ApiError(
                ErrorCode.UNKNOWN_MEMBER_ID, f"{member_id} is not a member of group {self.group_id}"
            ) from None

    def static_member(self, instance_id: str | None) -> ConsumerMember | None:
        """The member that has a group.instance.id now."""
        member_id = None if instance_id is None else self.static_members.get(instance_id)
        return None if member_id is None else self.members[member_id]

    def speaker(self, member_id: str, instance_id: str | None) -> ConsumerMember:
        """The member that a request speaks for.

        Raises:
            ApiError: UNKNOWN_MEMBER_ID, or FENCED_INSTANCE_ID where another member has the instance id.
        """
        if instance_id is None:
            return self.member(member_id)
        member = self.static_member(instance_id)
        if member is None:
            raise ApiError(ErrorCode.UNKNOWN_MEMBER_ID, f"instance id {instance_id} is not in the group")
        if member.member_id != member_id:
            raise ApiError(
                ErrorCode.FENCED_INSTANCE_ID, f"instance id {instance_id} is {member.member_id} now"
            )
        return member

    def target_of(self, member: ConsumerMember) -> Target:
        """A member's part of the target assignment: for a static one, that of whoever has its instance id."""
        member_id: str | None = member.member_id
        if member.instance_id is not None:
            member_id = self.static_members.get(member.instance_id)
        return self.targets.get(member_id or "", {})

    def owner_epoch(self, topic_id: bytes, partition: int) -> int:
        """The member epoch of who has a partition, or has yet to give it up; NO_OWNER if it is free."""
        return self._owner_epochs.get(topic_id, {}).get(partition, NO_OWNER)

    def topic_names(self) -> set[str]:
        """Everything that members subscribe to, by name or by what their expressions matched."""
        return {*self._name_subscribers, *self._regex_topics}

    def subscribes_to(self, topic: str) -> bool:
        return topic in self._name_subscribers or topic in self._regex_topics

    def topic_names_with(
        self,
        gone: Iterable[ConsumerMember] = (),
        new: ConsumerMember | None = None,
        regexes: Mapping[str, ResolvedRegex] | None = None,
    ) -> set[str]:
        """What `topic_names` would be without some members, with one, and with other expressions."""
        names, by_regex = self._name_subscribers.copy(), self._regex_topics.copy()
        subscribers = self.regex_subscribers.copy()
        for member in gone:
            names.subtract(member.topic_names)
            if member.topic_regex:
                subscribers[member.topic_regex] -= 1
        if new is not None:
            names.update(new.topic_names)
            if new.topic_regex:
                subscribers[new.topic_regex] += 1
        for regex, resolved in self.regexes.items():
            renewed = resolved if regexes is None else regexes.get(regex, resolved)
            is_unused = subscribers[regex] <= 0 < self.regex_subscribers[regex]
            if is_unused or renewed is not resolved:
                by_regex.subtract(resolved.topics)
                if not is_unused:
                    by_regex.update(renewed.topics)
        for regex, resolved in (regexes or {}).items():
            if regex not in self.regexes:
                by_regex.update(resolved.topics)
        return {*(+names), *(+by_regex)}

    def subscription(self, member: ConsumerMember) -> frozenset[str]:
        """Names of all topics that one member subscribes to."""
        resolved = self.regexes.get(member.topic_regex) if member.topic_regex else None
        return member.topic_names if resolved is None else member.topic_names | resolved.topics

    def preferred_assignor(
        self, default: str, old: ConsumerMember | None = None, new: ConsumerMember | None = None
    ) -> str:
        """The assignor that most members ask for, of those who ask for any."""
        votes = self.assignors.copy()
        if old is not None and old.assignor is not None:
            votes[old.assignor] -= 1
        if new is not None and new.assignor is not None:
            votes[new.assignor] += 1
        names = java_map_order([name for name, count in votes.items() if count > 0], java_hash)
        return max(names, key=votes.__getitem__, default=default)

    def supports_classic(self, protocol_type: str, protocols: Iterable[str]) -> bool:
        """Whether a classic member with these protocols can join: all classic members need one in common."""
        if protocol_type != "consumer":
            return False
        return any(self._classic_protocols[name] == self.classic_count for name in protocols)

    def tombstones(self, renamed: Mapping[str, str] | None = None) -> list[CoordinatorRecord]:
        """Records that delete it; `renamed` says which members have another id by then."""
        names = renamed or {}
        member_ids = [names.get(member_id, member_id) for member_id in self.members]
        return group_tombstones(self.group_id, member_ids, self.regexes)

    # Replay

    def replay(self, key: Message, value: Any) -> None:
        """Take over one record of this group. The group's own tombstone is for whoever holds the group."""
        _REPLAYS[type(key)](self, key, value)

    def _replay_metadata(self, key: ConsumerGroupMetadataKey, value: Any) -> None:
        if value is not None:
            self.epoch, self.metadata_hash = value.epoch, value.metadata_hash

    def _replay_partition_metadata(self, key: ConsumerGroupPartitionMetadataKey, value: Any) -> None:
        self.has_partition_metadata = value is not None

    def _replay_member(self, key: ConsumerGroupMemberMetadataKey, value: Any) -> None:
        old = self.members.get(key.member_id)
        if value is not None:
            self._put(old, with_metadata(old or ConsumerMember(key.member_id), value))
        elif old is not None:
            self._put(old, None)

    def _replay_current(self, key: ConsumerGroupCurrentMemberAssignmentKey, value: Any) -> None:
        old = self.members.get(key.member_id)
        if value is not None:
            self._put(old, with_assignment(old or ConsumerMember(key.member_id), value))
        elif old is not None:
            nothing = old._replace(
                member_epoch=LEAVE_EPOCH, previous_epoch=LEAVE_EPOCH, assigned={}, revoking={}
            )
            self._put(old, nothing)

    def _replay_target_epoch(self, key: ConsumerGroupTargetAssignmentMetadataKey, value: Any) -> None:
        if value is None:
            self.assignment_epoch, self.assignment_timestamp_ms = -1, 0
        else:
            self.assignment_epoch = value.assignment_epoch
            self.assignment_timestamp_ms = value.assignment_timestamp

    def _replay_target(self, key: ConsumerGroupTargetAssignmentMemberKey, value: Any) -> None:
        if value is None:
            self.targets.pop(key.member_id, None)
        else:
            self.targets[key.member_id] = target_from(value)

    def _replay_regex(self, key: ConsumerGroupRegularExpressionKey, value: Any) -> None:
        regex = key.regular_expression
        old = self.regexes.pop(regex, None)
        if old is not None:
            _subtract(self._regex_topics, old.topics)
        if value is not None:
            resolved = ResolvedRegex(frozenset(value.topics), value.version, value.timestamp)
            self.regexes[regex] = resolved
            self._regex_topics.update(resolved.topics)

    def _put(self, old: ConsumerMember | None, new: ConsumerMember | None) -> None:
        """Put a member in another's place, or in nobody's, or nobody in its place; and count."""
        if old is not None:
            self._uncount(old)
        if new is None:
            assert old is not None
            del self.members[old.member_id]
        else:
            self.members[new.member_id] = new
            self._count(new)

    def _count(self, member: ConsumerMember) -> None:
        self._name_subscribers.update(member.topic_names)
        if member.topic_regex:
            self.regex_subscribers[member.topic_regex] += 1
        if member.assignor is not None:
            self.assignors[member.assignor] += 1
        if member.instance_id is not None:
            self.static_members[member.instance_id] = member.member_id
        if member.classic is not None:
            self.classic_count += 1
            self._classic_protocols.update(each.name for each in member.classic_protocols())
        for held in (member.assigned, member.revoking):
            self._own(held, member.member_epoch)

    def _uncount(self, member: ConsumerMember) -> None:
        _subtract(self._name_subscribers, member.topic_names)
        if member.topic_regex:
            _subtract(self.regex_subscribers, (member.topic_regex,))
        if member.assignor is not None:
            _subtract(self.assignors, (member.assignor,))
        if self.static_members.get(member.instance_id or "") == member.member_id:
            del self.static_members[member.instance_id or ""]
        if member.classic is not None:
            self.classic_count -= 1
            _subtract(self._classic_protocols, (each.name for each in member.classic_protocols()))
        for held in (member.assigned, member.revoking):
            self._disown(held, member.member_epoch)

    def _own(self, partitions: Partitions, epoch: int) -> None:
        for topic_id, indexes in partitions.items():
            owners = self._owner_epochs.setdefault(topic_id, {})
            for index in indexes:
                # The newer owner, where a compacted log has lost what stood between the two.
                owners[index] = max(owners.get(index, epoch), epoch)

    def _disown(self, partitions: Partitions, epoch: int) -> None:
        for topic_id, indexes in partitions.items():
            owners = self._owner_epochs.get(topic_id)
            if owners is None:
                continue
            for index in indexes:
                if owners.get(index) == epoch:
                    del owners[index]
            if not owners:
                del self._owner_epochs[topic_id]


def _subtract(counter: Counter[str], names: Iterable[str]) -> None:
    """Count down, and forget what nobody has any more."""
    for name in names:
        left = counter[name] - 1
        if left > 0:
            counter[name] = left
        else:
            del counter[name]


_REPLAYS: dict[type[Message], Callable[[ConsumerGroup, Any, Any], None]] = {
    ConsumerGroupCurrentMemberAssignmentKey: ConsumerGroup._replay_current,
    ConsumerGroupMemberMetadataKey: ConsumerGroup._replay_member,
    ConsumerGroupMetadataKey: ConsumerGroup._replay_metadata,
    ConsumerGroupPartitionMetadataKey: ConsumerGroup._replay_partition_metadata,
    ConsumerGroupRegularExpressionKey: ConsumerGroup._replay_regex,
    ConsumerGroupTargetAssignmentMemberKey: ConsumerGroup._replay_target,
    ConsumerGroupTargetAssignmentMetadataKey: ConsumerGroup._replay_target_epoch,
}
RECORD_KEYS = tuple(_REPLAYS)
"""Keys of the records that a consumer group is made of."""
