"""Records of share groups as Apache Kafka 4.4.0 writes them, all in version 0; values from records."""

from __future__ import annotations

from collections.abc import Iterable

from kstream.coordinator.outcome import CoordinatorRecord
from kstream.groups.consumer.member import LEAVE_EPOCH, Target
from kstream.groups.share.member import NOTHING, ShareMember
from kstream.groups.share.partitions import StatePartitions, TopicPart, Topics
from kstream.records.schemas.group_share import (
    ShareGroupCurrentMemberAssignmentKey,
    ShareGroupCurrentMemberAssignmentValue,
    ShareGroupMemberMetadataKey,
    ShareGroupMemberMetadataValue,
    ShareGroupMetadataKey,
    ShareGroupMetadataValue,
    ShareGroupStatePartitionMetadataKey,
    ShareGroupStatePartitionMetadataValue,
    ShareGroupTargetAssignmentMemberKey,
    ShareGroupTargetAssignmentMemberValue,
    ShareGroupTargetAssignmentMetadataKey,
    ShareGroupTargetAssignmentMetadataValue,
    TopicInfo,
    TopicPartition,
    TopicPartitions,
    TopicPartitionsInfo,
)


def epoch_record(group_id: str, epoch: int, metadata_hash: int) -> CoordinatorRecord:
    """The group's epoch, and what its topics were like then."""
    return CoordinatorRecord(
        ShareGroupMetadataKey(group_id=group_id),
        ShareGroupMetadataValue(epoch=epoch, metadata_hash=metadata_hash),
    )


def member_record(group_id: str, member: ShareMember) -> CoordinatorRecord:
    """Who a member is and what it subscribes to."""
    return CoordinatorRecord(
        ShareGroupMemberMetadataKey(group_id=group_id, member_id=member.member_id),
        ShareGroupMemberMetadataValue(
            rack_id=member.rack_id,
            client_id=member.client_id,
            client_host=member.client_host,
            subscribed_topic_names=sorted(member.topic_names),
        ),
    )


def target_epoch_record(group_id: str, epoch: int, timestamp_ms: int) -> CoordinatorRecord:
    """The target assignment's epoch, written behind its members' parts, and when it was computed (or 0)."""
    return CoordinatorRecord(
        ShareGroupTargetAssignmentMetadataKey(group_id=group_id),
        ShareGroupTargetAssignmentMetadataValue(assignment_epoch=epoch, assignment_timestamp=timestamp_ms),
    )


def target_record(group_id: str, member_id: str, target: Target) -> CoordinatorRecord:
    """A member's part of the target assignment."""
    topics = [
        TopicPartition(topic_id=topic_id, partitions=sorted(partitions))
        for topic_id, partitions in target.items()
    ]
    return CoordinatorRecord(
        ShareGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id),
        ShareGroupTargetAssignmentMemberValue(topic_partitions=topics),
    )


def current_record(group_id: str, member: ShareMember) -> CoordinatorRecord:
    """What a member has been told to consume, and in which epoch it is."""
    return CoordinatorRecord(
        ShareGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member.member_id),
        ShareGroupCurrentMemberAssignmentValue(
            member_epoch=member.member_epoch,
            previous_member_epoch=member.previous_epoch,
            state=member.state,
            assigned_partitions=[
                TopicPartitions(topic_id=topic_id, partitions=sorted(partitions))
                for topic_id, partitions in member.assigned.items()
            ],
        ),
    )


def partitions_record(group_id: str, partitions: StatePartitions) -> CoordinatorRecord:
    """Which partitions have a share state."""
    return CoordinatorRecord(
        ShareGroupStatePartitionMetadataKey(group_id=group_id),
        ShareGroupStatePartitionMetadataValue(
            initializing_topics=_written(partitions.initializing),
            initialized_topics=_written(partitions.initialized),
            deleting_topics=[
                TopicInfo(topic_id=topic_id, topic_name=name)
                for topic_id, name in partitions.deleting.items()
            ],
        ),
    )


def member_tombstones(group_id: str, member_id: str) -> list[CoordinatorRecord]:
    """A member goes: what it has first, who it is last."""
    return [
        CoordinatorRecord(ShareGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member_id), None),
        CoordinatorRecord(ShareGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id), None),
        CoordinatorRecord(ShareGroupMemberMetadataKey(group_id=group_id, member_id=member_id), None),
    ]


def group_tombstones(group_id: str) -> list[CoordinatorRecord]:
    """A group without members goes, with all that is written of it."""
    return [
        CoordinatorRecord(ShareGroupTargetAssignmentMetadataKey(group_id=group_id), None),
        CoordinatorRecord(ShareGroupStatePartitionMetadataKey(group_id=group_id), None),
        CoordinatorRecord(ShareGroupMetadataKey(group_id=group_id), None),
    ]


def with_metadata(member: ShareMember, value: ShareGroupMemberMetadataValue) -> ShareMember:
    """The member as a record describes it, with what it has."""
    return member._replace(
        rack_id=value.rack_id,
        client_id=value.client_id,
        client_host=value.client_host,
        topic_names=frozenset(value.subscribed_topic_names),
    )


def with_assignment(member: ShareMember, value: ShareGroupCurrentMemberAssignmentValue | None) -> ShareMember:
    """The member with what a record says it has; of a tombstone, nothing, in no epoch."""
    if value is None:
        return member._replace(member_epoch=LEAVE_EPOCH, previous_epoch=LEAVE_EPOCH, assigned=NOTHING)
    return member._replace(
        member_epoch=value.member_epoch,
        previous_epoch=value.previous_member_epoch,
        state=value.state,
        assigned=_read(value.assigned_partitions),
    )


def target_from(value: ShareGroupTargetAssignmentMemberValue) -> Target:
    return _read(value.topic_partitions)


def partitions_from(value: ShareGroupStatePartitionMetadataValue) -> StatePartitions:
    return StatePartitions(
        _parts(value.initializing_topics),
        _parts(value.initialized_topics),
        {topic.topic_id: topic.topic_name for topic in value.deleting_topics},
    )


def _read(topics: Iterable[TopicPartition | TopicPartitions]) -> Target:
    return {topic.topic_id: frozenset(topic.partitions) for topic in topics}


def _written(topics: Topics) -> list[TopicPartitionsInfo]:
    return [
        TopicPartitionsInfo(topic_id=topic_id, topic_name=part.name, partitions=sorted(part.partitions))
        for topic_id, part in topics.items()
    ]


def _parts(topics: Iterable[TopicPartitionsInfo]) -> Topics:
    return {topic.topic_id: TopicPart(topic.topic_name, frozenset(topic.partitions)) for topic in topics}
