"""How a member goes from what it has to what the target assignment gives it: revoke, then get.

A member keeps its epoch until it reports that it no longer owns what it was told to give up; then it enters
the target's epoch with all of its target that nobody else has, and waits there for the rest. So no partition
ever has two owners, and nobody waits who need not.
"""

from __future__ import annotations

from collections.abc import Sequence

from kstream.errors import ApiError, ErrorCode
from kstream.groups.cluster import Cluster
from kstream.groups.consumer.group import NO_OWNER, ConsumerGroup
from kstream.groups.consumer.member import ConsumerMember, Partitions, Target, owns_any
from kstream.groups.consumer.states import MemberState
from kstream.wire.messages.consumer_group_heartbeat import TopicPartitions

Owned = Sequence[TopicPartitions] | None


class Reconciliation:
    """One member, what it reports to own (None: nothing said), and the target it goes to."""

    __slots__ = ("_group", "_member", "_owned", "_target", "_target_epoch", "_topic_ids")

    def __init__(
        self,
        group: ConsumerGroup,
        member: ConsumerMember,
        target: Target,
        target_epoch: int,
        owned: Owned,
        cluster: Cluster,
    ) -> None:
        self._group = group
        self._member = member
        self._target = target
        self._target_epoch = target_epoch
        self._owned = owned
        topics = (cluster.topic_named(name) for name in group.subscription(member))
        self._topic_ids = {topic.topic_id for topic in topics if topic is not None}

    def next(self, *, subscription_changed: bool) -> ConsumerMember:
        """The member after the next step, or itself if it cannot take one yet.

        Raises:
            ApiError: FENCED_MEMBER_EPOCH for a state that nobody here knows, unless it owns nothing.
        """
        member = self._member
        state = member.state
        if state is MemberState.UNKNOWN and (self._owned is None or self._owned):
            raise ApiError(
                ErrorCode.FENCED_MEMBER_EPOCH, "the member's state is unknown: it must give all up and rejoin"
            )
        if state is MemberState.UNREVOKED_PARTITIONS and owns_any(self._owned, member.revoking):
            return self._without_unsubscribed() if subscription_changed else member
        if state is MemberState.STABLE and member.member_epoch == self._target_epoch:
            return self._without_unsubscribed() if subscription_changed else member
        epoch = self._target_epoch if state is MemberState.UNKNOWN else member.member_epoch
        return self._towards_target(epoch)

    def _towards_target(self, epoch: int) -> ConsumerMember:
        member, group = self._member, self._group
        kept: dict[bytes, dict[int, int]] = {}
        revoked: dict[bytes, dict[int, int]] = {}
        added: dict[bytes, frozenset[int]] = {}
        is_waiting = False
        for topic_id in {**self._target, **member.assigned}:
            wanted = self._target.get(topic_id, frozenset()) if topic_id in self._topic_ids else frozenset()
            held = member.assigned.get(topic_id, {})
            keep = {index: held[index] for index in held if index in wanted}
            if keep:
                kept[topic_id] = keep
            if len(keep) < len(held):
                revoked[topic_id] = {index: held[index] for index in held if index not in wanted}
            missing = wanted - keep.keys()
            # What it was giving up itself is free for it.
            own = member.revoking.get(topic_id, {})
            free = frozenset(
                index for index in missing if index in own or group.owner_epoch(topic_id, index) == NO_OWNER
            )
            is_waiting = is_waiting or len(free) < len(missing)
            if free:
                added[topic_id] = free
        if revoked and owns_any(self._owned, revoked):
            return self._moved(epoch, MemberState.UNREVOKED_PARTITIONS, kept, revoked)
        for topic_id, indexes in added.items():
            kept.setdefault(topic_id, {}).update(dict.fromkeys(indexes, self._target_epoch))
        state = MemberState.UNRELEASED_PARTITIONS if is_waiting else MemberState.STABLE
        return self._moved(self._target_epoch, state, kept, {})

    def _without_unsubscribed(self) -> ConsumerMember:
        """Give up topics that it no longer subscribes to, before there is a new target."""
        member = self._member
        kept = {topic_id: held for topic_id, held in member.assigned.items() if topic_id in self._topic_ids}
        if len(kept) == len(member.assigned):
            return member
        revoked = {topic_id: dict(held) for topic_id, held in member.revoking.items()}
        for topic_id, held in member.assigned.items():
            if topic_id not in kept:
                revoked.setdefault(topic_id, {}).update(held)
        if owns_any(self._owned, revoked):
            return self._moved(member.member_epoch, MemberState.UNREVOKED_PARTITIONS, kept, revoked)
        return self._moved(member.member_epoch, member.state, kept, member.revoking)

    def _moved(
        self, epoch: int, state: MemberState, assigned: Partitions, revoking: Partitions
    ) -> ConsumerMember:
        return self._member._replace(
            member_epoch=epoch,
            previous_epoch=self._member.member_epoch,
            state=state,
            assigned=assigned,
            revoking=revoking,
        )
