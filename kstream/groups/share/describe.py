"""ShareGroupDescribe: what operators see of a share group and its members."""

from __future__ import annotations

from kstream.errors import ErrorCode
from kstream.groups.cluster import Cluster
from kstream.groups.share.member import ShareMember
from kstream.groups.state import GroupState
from kstream.wire.messages.share_group_describe import (
    Assignment,
    DescribedGroup,
    Member,
    TopicPartitions,
)

ASSIGNOR = "simple"


def describe_share_group(state: GroupState, group_id: str) -> DescribedGroup:
    """One group with its members; GROUP_ID_NOT_FOUND for one that does not exist, or is of another kind."""
    group = state.share_groups.get(group_id)
    if group is None:
        what = "is not a share group" if state.has_group(group_id) else "not found"
        return DescribedGroup(
            group_id=group_id,
            error_code=ErrorCode.GROUP_ID_NOT_FOUND,
            error_message=f"Group {group_id} {what}.",
        )
    return DescribedGroup(
        group_id=group_id,
        group_state=group.state.value,
        group_epoch=group.epoch,
        assignment_epoch=group.assignment_epoch,
        assignor_name=ASSIGNOR,
        members=[_member(state.cluster, member) for member in group.members.values()],
    )


def _member(cluster: Cluster, member: ShareMember) -> Member:
    """Topics that it has and that exist, with their names."""
    named = [(cluster.topic_identified(topic_id), held) for topic_id, held in member.assigned.items()]
    return Member(
        member_id=member.member_id,
        rack_id=member.rack_id,
        member_epoch=member.member_epoch,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=sorted(member.topic_names),
        assignment=Assignment(
            topic_partitions=[
                TopicPartitions(topic_id=topic.topic_id, topic_name=topic.name, partitions=sorted(held))
                for topic, held in named
                if topic is not None
            ]
        ),
    )
