"""The `uniform` assignor where all members subscribe to the same topics: balanced first, then sticky.

Every member is due the same number of partitions, some one more. First each keeps what it had, up to what it
is due; who had more gives the rest back. Then what nobody has goes to those that have less than their due.
Who gets one more is decided on the way: the first members, but one that would have to be given its extra
partition leaves it to a later one as long as enough of them follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kstream.coordinator.hashing import java_map_order, uuid_hash
from kstream.groups.assignors.heterogeneous import assign_heterogeneous
from kstream.groups.assignors.model import (
    MemberSubscription,
    Targets,
    TopicPartitions,
    in_java_order,
    is_homogeneous,
    topics_in_java_order,
)


def assign_uniform(members: Sequence[MemberSubscription], topics: Mapping[bytes, TopicPartitions]) -> Targets:
    if not members:
        return {}
    ordered = in_java_order(members)
    if not is_homogeneous(ordered):
        return assign_heterogeneous(ordered, topics)
    return _assign_homogeneous(ordered, topics_in_java_order(ordered[0].topic_ids, topics))


def _assign_homogeneous(members: Sequence[MemberSubscription], topics: Sequence[TopicPartitions]) -> Targets:
    unassigned = _unassigned(members, topics)
    least, extra = divmod(sum(topic.partition_count for topic in topics), len(members))
    targets: Targets = {}
    wanting: list[tuple[str, int]] = []
    for index, member in enumerate(members):
        gets_extra = extra > 0
        kept, given_back = _keep(member, least + gets_extra)
        targets[member.member_id] = kept
        unassigned += given_back
        due = least + gets_extra - sum(map(len, kept.values()))
        if due and gets_extra and len(members) - index > extra:
            due -= 1
            gets_extra = False
        extra -= gets_extra
        if due:
            wanting.append((member.member_id, due))
    start = 0
    for member_id, due in wanting:
        added: dict[bytes, list[int]] = {}
        for topic_id, partition in unassigned[start : start + due]:
            added.setdefault(topic_id, []).append(partition)
        kept = targets[member_id]
        for topic_id, partitions in added.items():
            kept[topic_id] = kept.get(topic_id, frozenset()).union(partitions)
        start += due
    return targets


def _unassigned(
    members: Sequence[MemberSubscription], topics: Sequence[TopicPartitions]
) -> list[tuple[bytes, int]]:
    """What nobody has, as topic id and partition."""
    found = []
    for topic_id, _, count, _ in topics:
        taken = frozenset().union(*(member.assigned.get(topic_id, ()) for member in members))
        found += [(topic_id, partition) for partition in range(count) if partition not in taken]
    return found


def _keep(
    member: MemberSubscription, count: int
) -> tuple[dict[bytes, frozenset[int]], list[tuple[bytes, int]]]:
    """At most `count` of the partitions that a member had, and those that it gives back."""
    kept: dict[bytes, frozenset[int]] = {}
    given_back: list[tuple[bytes, int]] = []
    for topic_id in java_map_order(member.assigned, uuid_hash):
        partitions = member.assigned[topic_id]
        if topic_id not in member.topic_ids or not partitions:
            continue
        if len(partitions) > count:
            ordered = java_map_order(sorted(partitions), int, is_copy=True)
            given_back += [(topic_id, partition) for partition in ordered[count:]]
            partitions = frozenset(ordered[:count])
        if partitions:
            kept[topic_id] = partitions
            count -= len(partitions)
    return kept, given_back
