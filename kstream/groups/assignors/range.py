"""The `range` assignor: each topic's partitions in contiguous ranges, to its subscribers in order.

Members that subscribe to the same topics get the same ranges of those with equally many partitions. Nothing
is sticky but the order: static members stand first, by instance id, then the others, by member id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kstream.groups.assignors.model import MemberSubscription, Targets, TopicPartitions


def assign_range(members: Sequence[MemberSubscription], topics: Mapping[bytes, TopicPartitions]) -> Targets:
    targets: Targets = {member.member_id: {} for member in members}
    subscribers: dict[bytes, list[str]] = {}
    for member in sorted(members, key=_seniority):
        for topic_id in member.topic_ids:
            subscribers.setdefault(topic_id, []).append(member.member_id)
    for topic_id, member_ids in subscribers.items():
        least, extra = divmod(topics[topic_id].partition_count, len(member_ids))
        start = 0
        for place, member_id in enumerate(member_ids):
            end = start + least + (place < extra)
            if start < end:
                targets[member_id][topic_id] = frozenset(range(start, end))
            start = end
    return targets


def _seniority(member: MemberSubscription) -> tuple[bool, bytes]:
    """Static members first. Java compares strings by UTF-16 units."""
    name = member.member_id if member.instance_id is None else member.instance_id
    return member.instance_id is None, name.encode("utf-16-be", "surrogatepass")
