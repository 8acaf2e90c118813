"""The `simple` assignor of share groups (KIP-932): balanced first, then sticky.

A partition may have several members. If there are more members than partitions, each partition is due to so
many that every member has one; otherwise to one. Members are due as many partitions as that makes, as evenly
as it goes. First everybody keeps what it had; who has more than its due gives up, then partitions that too
many have; what is missing goes around to those that have less than their due.

Where members subscribe to different topics, this is done for each topic by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from kstream.coordinator.hashing import java_hash, java_map_order, uuid_hash
from kstream.coordinator.java_map import JavaMap
from kstream.groups.assignors.model import (
    MemberSubscription,
    Targets,
    TopicPartitions,
    in_java_order,
)

Assignable = Mapping[bytes, Collection[int]]
"""Partitions by topic id that may be given to members: those whose state is initialized."""

P = TypeVar("P")


def assign_simple(
    members: Sequence[MemberSubscription],
    topics: Mapping[bytes, TopicPartitions],
    assignable: Assignable,
    *,
    is_homogeneous: bool,
) -> Targets:
    """Every member is in the answer; a topic whose last partition a member lost stays in it, with nothing.

    `is_homogeneous`: whether all members subscribe to the same names, be there such topics or not.
    """
    if not members:
        return {}
    ordered = in_java_order(members)
    if is_homogeneous:
        shares = _Shares[tuple[bytes, int]](ordered, _partition_hash)
        targets = _assign_homogeneous(ordered, topics, assignable, shares)
    else:
        targets = _assign_by_topic(ordered, topics, assignable)
    return {
        member.member_id: {topic_id: frozenset(held) for topic_id, held in target.items()}
        for member, target in zip(ordered, targets, strict=True)
    }


_Held = dict[bytes, set[int]]


def _assign_homogeneous(
    members: Sequence[MemberSubscription],
    topics: Mapping[bytes, TopicPartitions],
    assignable: Assignable,
    shares: _Shares[tuple[bytes, int]],
) -> list[_Held]:
    subscribed = members[0].topic_ids
    by_name = {topics[topic_id].name: topic_id for topic_id in subscribed}
    names = java_map_order(sorted(by_name), java_hash, is_copy=True)
    wanted = [
        (topic_id, index)
        for topic_id in (by_name[name] for name in names)
        for index in _assignable(topics[topic_id], assignable)
    ]
    shares.expect(wanted, range(len(members)))
    for at, member in enumerate(members):
        for topic_id in java_map_order(member.assigned, uuid_hash):
            if topic_id in subscribed:
                for index in _in_java_order(member.assigned[topic_id]):
                    shares.keep(at, (topic_id, index))
    shares.balance()
    targets: list[_Held] = []
    for at, member in enumerate(members):
        target: _Held = {topic_id: set() for topic_id in member.assigned if topic_id in subscribed}
        for topic_id, index in shares.of(at):
            target.setdefault(topic_id, set()).add(index)
        targets.append(target)
    return targets


def _assign_by_topic(
    members: Sequence[MemberSubscription], topics: Mapping[bytes, TopicPartitions], assignable: Assignable
) -> list[_Held]:
    subscribed = list(dict.fromkeys(topic_id for member in members for topic_id in member.topic_ids))
    targets: list[_Held] = [
        {topic_id: set(held) for topic_id, held in member.assigned.items()} for member in members
    ]
    for topic_id in java_map_order(subscribed, uuid_hash):
        shares = _Shares[int](members, int)
        subscribers = [at for at, member in enumerate(members) if topic_id in member.topic_ids]
        shares.expect(_assignable(topics[topic_id], assignable), subscribers)
        for at, member in enumerate(members):
            for index in _in_java_order(member.assigned.get(topic_id, ())):
                shares.keep(at, index)
        shares.balance()
        for at, target in enumerate(targets):
            held = set(shares.of(at))
            if held or topic_id in target:
                target[topic_id] = held
    return targets


def _assignable(topic: TopicPartitions, assignable: Assignable) -> list[int]:
    allowed = assignable.get(topic.topic_id, ())
    return [index for index in range(topic.partition_count) if index in allowed]


def _in_java_order(partitions: Iterable[int]) -> list[int]:
    return java_map_order(sorted(partitions), int, is_copy=True)


def _partition_hash(partition: tuple[bytes, int]) -> int:
    """That of a Java record of topic id and partition."""
    topic_id, index = partition
    return 31 * uuid_hash(topic_id) + index


class _Shares(Generic[P]):
    """Who has which partitions, members by their place in a list."""

    __slots__ = ("_by_member", "_by_partition", "_due", "_hash_of", "_sharers_max", "_unfilled", "_wanted")

    def __init__(self, members: Sequence[MemberSubscription], hash_of: Callable[[P], int]) -> None:
        self._hash_of = hash_of
        self._due = [0] * len(members)
        self._by_member: list[JavaMap[P, None]] = [JavaMap(hash_of) for _ in members]
        self._by_partition: JavaMap[P, JavaMap[int, None]]
        self._wanted: Sequence[P] = ()
        self._sharers_max = 0

    def expect(self, wanted: Sequence[P], subscribers: Sequence[int]) -> None:
        """These partitions are to be shared by these members."""
        count = len(subscribers)
        self._wanted = wanted
        self._sharers_max = -(-count // len(wanted)) if wanted else 0
        share = self._sharers_max * len(wanted) / count
        for at, member in enumerate(subscribers):
            self._due[member] = math.ceil(share * (at + 1)) - math.ceil(share * at)
        self._by_partition = JavaMap(self._hash_of, len(wanted))

    def keep(self, member: int, partition: P) -> None:
        """A member has had this so far."""
        self._by_partition.get_or_create(partition, _nobody).put(member, None)
        self._by_member[member].put(partition, None)

    def of(self, member: int) -> Iterable[P]:
        """What a member has."""
        return self._by_member[member]

    def balance(self) -> None:
        """Take what is too much, give what is missing."""
        for member, held in enumerate(self._by_member):
            for partition in held:
                if len(held) <= self._due[member]:
                    break
                self._revoke(member, partition)
        for partition in self._by_partition:
            sharers = self._by_partition[partition]
            for member in sharers:
                if len(sharers) <= self._sharers_max:
                    break
                self._revoke(member, partition)
        for partition in self._wanted:
            self._by_partition.get_or_create(partition, _nobody)
        self._give()

    def _revoke(self, member: int, partition: P) -> None:
        self._by_member[member].remove(partition)
        self._by_partition[partition].remove(member)

    def _give(self) -> None:
        """Partitions go round the members that want more, going on where the last one stopped. A partition
        that all of those have already is left with fewer members than it is due.
        """
        unfilled = [member for member, held in enumerate(self._by_member) if len(held) < self._due[member]]
        place = 0
        has_given = False
        for partition in self._by_partition:
            if not unfilled:
                return
            sharers = self._by_partition[partition]
            missing = self._sharers_max - len(sharers)
            while missing > 0:
                if place == len(unfilled):
                    if not has_given:
                        break
                    place, has_given = 0, False
                if place == len(unfilled):
                    break
                member = unfilled[place]
                place += 1
                if member in sharers:
                    continue
                sharers.put(member, None)
                self._by_member[member].put(partition, None)
                missing -= 1
                has_given = True
                if len(self._by_member[member]) >= self._due[member]:
                    place -= 1
                    del unfilled[place]


def _nobody() -> JavaMap[int, None]:
    return JavaMap(int)
