"""What an assignor gets and gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from kstream.coordinator.hashing import java_hash, java_map_order, uuid_hash


class MemberSubscription(NamedTuple):
    """A member as assignors see it."""

    member_id: str
    instance_id: str | None
    rack_id: str | None
    """Kafka 4.4's assignors do not look at racks, and neither do these."""
    topic_ids: frozenset[bytes]
    """What it subscribes to, by name or pattern, of the topics that exist."""
    assigned: Mapping[bytes, frozenset[int]]
    """Its target assignment so far; for a static member that comes back, that of its predecessor."""


class TopicPartitions(NamedTuple):
    """A topic that somebody subscribes to."""

    topic_id: bytes
    name: str
    partition_count: int
    racks: Sequence[frozenset[str]] = ()
    """Of each partition's replicas; () where brokers have none."""


Targets = dict[str, dict[bytes, frozenset[int]]]
"""Partitions by member id and topic id; topics of which a member gets nothing are left out."""

Assignor = Callable[[Sequence[MemberSubscription], Mapping[bytes, TopicPartitions]], Targets]
"""Members in any order, and all topics of their subscriptions by id. Every member is in the answer."""


def is_homogeneous(members: Sequence[MemberSubscription]) -> bool:
    """Whether all members subscribe to the same topics."""
    return all(member.topic_ids == members[0].topic_ids for member in members)


def in_java_order(members: Sequence[MemberSubscription]) -> list[MemberSubscription]:
    """Members as Kafka's group specification gives them: in the order of a HashMap by member id."""
    by_id = {member.member_id: member for member in members}
    return [by_id[member_id] for member_id in java_map_order(by_id, java_hash)]


def topics_in_java_order(
    topic_ids: Iterable[bytes], topics: Mapping[bytes, TopicPartitions]
) -> list[TopicPartitions]:
    """The topics of a subscription: a HashSet of ids, that was made from a HashSet of names."""
    by_name = {topics[topic_id].name: topic_id for topic_id in topic_ids}
    names = java_map_order(sorted(by_name), java_hash, is_copy=True)
    ids = java_map_order([by_name[name] for name in names], uuid_hash, is_copy=True)
    return [topics[topic_id] for topic_id in ids]
