"""ConsumerGroupDescribe: what operators see of a consumer group."""

from __future__ import annotations

from collections.abc import Mapping

from kstream.errors import ErrorCode
from kstream.groups.cluster import Cluster
from kstream.groups.consumer.group import ConsumerGroup
from kstream.groups.consumer.member import ConsumerMember
from kstream.groups.state import GroupState
from kstream.wire.messages.consumer_group_describe import (
    Assignment,
    DescribedGroup,
    Member,
    TopicPartitions,
)

_CLASSIC_MEMBER, _CONSUMER_MEMBER = 0, 1


def describe_consumer_group(state: GroupState, group_id: str) -> DescribedGroup:
    """One group with its members; GROUP_ID_NOT_FOUND for one that does not exist, or is of another kind."""
    group = state.consumer_groups.get(group_id)
    if group is None:
        is_other = state.has_group(group_id)
        return DescribedGroup(
            group_id=group_id,
            error_code=ErrorCode.GROUP_ID_NOT_FOUND,
            error_message=f"Group {group_id} {'is not a consumer group' if is_other else 'not found'}.",
        )
    return DescribedGroup(
        group_id=group_id,
        group_state=group.state.value,
        group_epoch=group.epoch,
        assignment_epoch=group.assignment_epoch,
        assignor_name=group.preferred_assignor(state.settings.consumer.assignors[0]),
        members=[_member(state.cluster, group, member) for member in group.members.values()],
    )


def _member(cluster: Cluster, group: ConsumerGroup, member: ConsumerMember) -> Member:
    """What it has includes what it has yet to give up."""
    held: dict[bytes, list[int]] = {}
    for partitions in (member.assigned, member.revoking):
        for topic_id, indexes in partitions.items():
            held.setdefault(topic_id, []).extend(sorted(indexes))
    target = group.targets.get(member.member_id, {})
    return Member(
        member_id=member.member_id,
        instance_id=member.instance_id,
        rack_id=member.rack_id,
        member_epoch=member.member_epoch,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=sorted(member.topic_names),
        subscribed_topic_regex=member.topic_regex,
        assignment=_assignment(cluster, held),
        target_assignment=_assignment(cluster, {key: sorted(each) for key, each in target.items()}),
        member_type=_CLASSIC_MEMBER if member.is_classic else _CONSUMER_MEMBER,
    )


def _assignment(cluster: Cluster, partitions: Mapping[bytes, list[int]]) -> Assignment:
    """Topics that exist, with their names."""
    named = [(cluster.topic_identified(topic_id), indexes) for topic_id, indexes in partitions.items()]
    return Assignment(
        topic_partitions=[
            TopicPartitions(topic_id=topic.topic_id, topic_name=topic.name, partitions=indexes)
            for topic, indexes in named
            if topic is not None
        ]
    )
