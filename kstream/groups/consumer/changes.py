"""What a request of one member changes in its group: the member, the group's epoch, the target assignment.

A `MemberChange` collects records; nothing of the group changes before they are replayed.
"""

from __future__ import annotations

from kstream.coordinator.outcome import CoordinatorRecord, Outcome
from kstream.groups.assignors import ASSIGNORS, MemberSubscription, TopicPartitions
from kstream.groups.consumer.consumer_records import (
    current_record,
    epoch_record,
    member_record,
    partition_metadata_tombstone,
    target_epoch_record,
    target_record,
)
from kstream.groups.consumer.group import ConsumerGroup
from kstream.groups.consumer.member import ConsumerMember, Target
from kstream.groups.consumer.metadata_hash import group_hash
from kstream.groups.consumer.reconcile import Owned, Reconciliation
from kstream.groups.consumer.regexes import RegexChange, change_regex, needs_resolving, resolve_key
from kstream.groups.consumer.states import MemberState
from kstream.groups.consumer.timers import rebalance_key
from kstream.groups.state import GroupState


class MemberChange:
    """One member on the way from `old` to `new`, in a group that may not be written yet."""

    __slots__ = ("_now_ms", "_state", "epoch", "group", "new", "old", "records", "subscription_changed")

    def __init__(
        self,
        state: GroupState,
        group: ConsumerGroup,
        old: ConsumerMember,
        new: ConsumerMember,
        records: list[CoordinatorRecord],
        now_ms: int,
    ) -> None:
        self._state = state
        self._now_ms = now_ms
        self.group = group
        self.old = old
        self.new = new
        self.records = records
        self.epoch = group.epoch
        """The group's epoch after the change."""
        self.subscription_changed = False

    def subscribe(self, *, any_regex_bumps: bool = False) -> bool:
        """Write the member down; a new group epoch if others must know. Returns whether what it subscribes
        to has changed.

        A new expression of a member alone changes nothing for others until it is known what it matches;
        `any_regex_bumps` is for classic members, who had one only before they were classic.

        Raises:
            ApiError: INVALID_REGULAR_EXPRESSION.
        """
        group, old, new = self.group, self.old, self.new
        if new != old:
            self.records.append(member_record(group.group_id, new))
        names_changed = new.topic_names != old.topic_names
        regex = change_regex(group, old, new, self.records)
        default = self._state.settings.consumer.assignors[0]
        self.subscription_changed = names_changed or regex is not RegexChange.NONE
        must_bump = names_changed or regex is RegexChange.RESOLVED
        if any_regex_bumps:
            must_bump = self.subscription_changed
        elif group.preferred_assignor(default) != group.preferred_assignor(default, old, new):
            must_bump = True
        if must_bump or group.is_metadata_stale:
            self._refresh(must_bump)
        return self.subscription_changed

    def _refresh(self, must_bump: bool) -> None:
        """Look at the topics; a new epoch if they changed, or it must be."""
        group = self.group
        names = group.topic_names_with((self.old,), self.new)
        metadata_hash = group_hash(names, self._state.cluster)
        if must_bump or metadata_hash != group.metadata_hash:
            self.epoch += 1
            self.records.append(epoch_record(group.group_id, self.epoch, metadata_hash))
        group.refreshed_epoch = self.epoch
        if group.has_partition_metadata:
            self.records.append(partition_metadata_tombstone(group.group_id))

    def assign(self) -> tuple[int, Target]:
        """The target assignment's epoch and the member's part of it; computed anew if it is behind, and the
        last time was long enough ago.
        """
        group, state = self.group, self._state
        if group.assignment_epoch >= self.epoch:
            return group.assignment_epoch, group.target_of(self.new)
        interval_ms = state.cluster.consumer_config(group.group_id).assignment_interval_ms
        computed_ms = group.assignment_timestamp_ms
        if interval_ms and computed_ms and self._now_ms < computed_ms + interval_ms:
            return group.assignment_epoch, group.target_of(self.new)
        targets = self._compute_targets()
        for member_id, target in targets.items():
            if target != self._former_target(member_id):
                self.records.append(target_record(group.group_id, member_id, target))
        self.records.append(target_epoch_record(group.group_id, self.epoch, self._now_ms))
        return self.epoch, targets[self.new.member_id]

    def _compute_targets(self) -> dict[str, Target]:
        group, state = self.group, self._state
        members = dict(group.members)
        replaced = group.static_member(self.new.instance_id)
        if replaced is not None:
            del members[replaced.member_id]
        members[self.new.member_id] = self.new
        topics: dict[bytes, TopicPartitions] = {}
        subscriptions = []
        ids_by_names: dict[frozenset[str], frozenset[bytes]] = {}
        for member in members.values():
            names = group.subscription(member)
            topic_ids = ids_by_names.get(names)
            if topic_ids is None:
                found = [topic for topic in map(state.cluster.topic_named, names) if topic is not None]
                topics.update((topic.topic_id, topic) for topic in found)
                topic_ids = ids_by_names[names] = frozenset(topic.topic_id for topic in found)
            former = self._former_target(member.member_id) or {}
            subscriptions.append(
                MemberSubscription(member.member_id, member.instance_id, member.rack_id, topic_ids, former)
            )
        default = state.settings.consumer.assignors[0]
        assignor = ASSIGNORS[group.preferred_assignor(default, self.old, self.new)]
        return dict(assignor(subscriptions, topics))

    def _former_target(self, member_id: str) -> Target | None:
        """What a member was to have until now; None if nothing is written of that."""
        if member_id == self.new.member_id:
            replaced = self.group.static_member(self.new.instance_id)
            member_id = member_id if replaced is None else replaced.member_id
        return self.group.targets.get(member_id)

    def reconcile(self, target_epoch: int, target: Target, owned: Owned, out: Outcome) -> ConsumerMember:
        """Let the member take a step towards the target, if it is not there.

        Raises:
            ApiError: FENCED_MEMBER_EPOCH.
        """
        member = self.new
        if not self.subscription_changed and member.is_reconciled_to(target_epoch):
            return member
        step = Reconciliation(self.group, member, target, target_epoch, owned, self._state.cluster)
        self.new = step.next(subscription_changed=self.subscription_changed)
        if self.new != member:
            self.records.append(current_record(self.group.group_id, self.new))
            if not self.new.is_classic:
                is_revoking = self.new.state is MemberState.UNREVOKED_PARTITIONS
                timer = rebalance_key(self.group.group_id, self.new.member_id)
                out.timers[timer] = self.new.rebalance_timeout_ms if is_revoking else None
        return self.new

    def look_for_topics(self, out: Outcome) -> None:
        """Have expressions resolved, if it is time for that."""
        state, group_id = self._state, self.group.group_id
        interval_ms = state.settings.consumer.regex_refresh_interval_ms
        if group_id not in state.resolving and needs_resolving(
            self.group, self.old, self.new, state.cluster, interval_ms, self._now_ms
        ):
            state.resolving.add(group_id)
            out.timers[resolve_key(group_id)] = 0
