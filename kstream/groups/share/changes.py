"""What a request of one member changes in its group: the member, the group's epoch, the target assignment.

A `ShareChange` collects records; nothing of the group changes before they are replayed.
"""

from __future__ import annotations

from kstream.coordinator.outcome import CoordinatorRecord
from kstream.groups.assignors import MemberSubscription, TopicPartitions
from kstream.groups.assignors.simple import assign_simple
from kstream.groups.cluster import Cluster
from kstream.groups.consumer.member import Target
from kstream.groups.consumer.metadata_hash import group_hash
from kstream.groups.share.group import ShareGroup
from kstream.groups.share.member import STABLE, ShareMember
from kstream.groups.share.share_records import (
    current_record,
    epoch_record,
    member_record,
    target_epoch_record,
    target_record,
)


class ShareChange:
    """One member on the way from `old` to `new`, in a group that may not be written yet."""

    __slots__ = ("_cluster", "_is_bumped", "_now_ms", "epoch", "group", "names", "new", "old", "records")

    def __init__(
        self, cluster: Cluster, group: ShareGroup, old: ShareMember, new: ShareMember, now_ms: int
    ) -> None:
        self._cluster = cluster
        self._now_ms = now_ms
        self._is_bumped = False
        self.group = group
        self.old = old
        self.new = new
        self.records: list[CoordinatorRecord] = []
        self.epoch = group.epoch
        """The group's epoch after the change."""
        self.names = group.topic_names()
        """What members subscribe to after the change, as far as it is known to have changed."""

    def subscribe(self) -> None:
        """Write the member down; a new group epoch if it subscribes to something else, topics have changed,
        or partitions are initialized that nobody has.
        """
        group = self.group
        if self.new != self.old:
            self.records.append(member_record(group.group_id, self.new))
        must_bump = self.new.topic_names != self.old.topic_names
        if group.assignment_epoch >= group.epoch:
            must_bump = must_bump or self._has_unassigned()
        if must_bump or group.is_metadata_stale:
            self._refresh(must_bump)

    def _has_unassigned(self) -> bool:
        """Whether the target assignment lacks initialized partitions of topics that members subscribe to.

        Those of a deleted topic stay initialized for a moment, in which nobody can have them.
        """
        group = self.group
        if group.is_empty or group.partitions is None:
            return False
        for topic_id, part in group.partitions.initialized.items():
            if group.subscribes_to(part.name) and self._cluster.topic_identified(topic_id) is not None:
                assigned = frozenset[int]().union(
                    *(target.get(topic_id, ()) for target in group.targets.values())
                )
                if assigned != part.partitions:
                    return True
        return False

    def _refresh(self, must_bump: bool) -> None:
        group = self.group
        self.names = group.topic_names_with(self.old, self.new)
        metadata_hash = group_hash(self.names, self._cluster)
        if must_bump or metadata_hash != group.metadata_hash:
            self._is_bumped = True
            self.epoch += 1
            self.records.append(epoch_record(group.group_id, self.epoch, metadata_hash))
        group.refreshed_epoch = self.epoch

    def assign(self, interval_ms: int) -> tuple[int, Target]:
        """The target assignment's epoch and the member's part of it; computed anew if it is behind, and the
        last time was long enough ago.
        """
        group, member_id = self.group, self.new.member_id
        computed_ms = group.assignment_timestamp_ms
        is_early = bool(interval_ms and computed_ms and self._now_ms < computed_ms + interval_ms)
        if group.assignment_epoch >= self.epoch or is_early:
            return group.assignment_epoch, group.target_of(member_id)
        targets = self._compute_targets()
        for each, target in targets.items():
            if target != group.targets.get(each):
                self.records.append(target_record(group.group_id, each, target))
        self.records.append(target_epoch_record(group.group_id, self.epoch, self._now_ms))
        return self.epoch, targets[member_id]

    def _compute_targets(self) -> dict[str, Target]:
        group = self.group
        members = {**group.members, self.new.member_id: self.new}
        topics: dict[bytes, TopicPartitions] = {}
        subscriptions = []
        for member in members.values():
            found = self._topics_of(member)
            topics.update(found)
            former = group.target_of(member.member_id)
            subscriptions.append(
                MemberSubscription(member.member_id, None, member.rack_id, frozenset(found), former)
            )
        partitions = group.partitions
        initialized = {} if partitions is None else partitions.initialized
        assignable = {topic_id: part.partitions for topic_id, part in initialized.items()}
        names = self.new.topic_names
        is_homogeneous = all(member.topic_names == names for member in members.values())
        return {**assign_simple(subscriptions, topics, assignable, is_homogeneous=is_homogeneous)}

    def _topics_of(self, member: ShareMember) -> dict[bytes, TopicPartitions]:
        """Topics that exist of those that a member subscribes to, by id."""
        found = (self._cluster.topic_named(name) for name in member.topic_names)
        return {topic.topic_id: topic for topic in found if topic is not None}

    def follow(self, target_epoch: int, target: Target) -> None:
        """Let the member have what the target gives it: nobody else has to give it up first."""
        member = self.new
        if not self._is_bumped and member.is_reconciled_to(target_epoch):
            return
        topics = self._topics_of(member)
        assigned = {topic_id: held for topic_id, held in target.items() if topic_id in topics}
        if target_epoch != member.member_epoch:
            self.new = member._replace(
                member_epoch=target_epoch,
                previous_epoch=member.member_epoch,
                state=STABLE,
                assigned=assigned,
            )
        else:
            self.new = member._replace(assigned=assigned)
        if self.new != member:
            self.records.append(current_record(self.group.group_id, self.new))
