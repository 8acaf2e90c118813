"""OffsetCommit, OffsetFetch and OffsetDelete: positions of a group.

Topics here have names; whether a topic exists, and which name an id stands for, is the caller's to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kstream.coordinator.outcome import Outcome
from kstream.errors import ApiError, ErrorCode
from kstream.groups.classic import ClassicGroup
from kstream.groups.consumer.offsets import PartitionCheck, allow_all, check_commit, check_fetch
from kstream.groups.group_records import (
    OFFSET_VERSION,
    OFFSET_VERSION_WITH_EXPIRY,
    OFFSET_VERSION_WITH_TOPIC_ID,
    offset_record,
    offset_tombstone,
)
from kstream.groups.rebalance import renew_session
from kstream.groups.settings import Caller
from kstream.groups.state import GroupState
from kstream.groups.states import ClassicState
from kstream.groups.subscriptions import CONSUMER
from kstream.records.schemas.group import OffsetCommitValue
from kstream.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from kstream.wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)
from kstream.wire.messages.offset_fetch import (
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
)
from kstream.wire.uuids import ZERO_UUID

NO_OFFSET = -1
_NO_RETENTION_TIME = -1
_FIRST_VERSION_WITH_GROUP_ID_NOT_FOUND = 9


class WantedTopic(NamedTuple):
    """One topic of an OffsetFetch."""

    name: str
    topic_id: bytes
    """ZERO_UUID where nobody knows it."""
    partition_indexes: Sequence[int]


def commit_offsets(
    state: GroupState, request: OffsetCommitRequest, caller: Caller, token: object, now_ms: int
) -> Outcome:
    """Write positions down, for a member of the present generation or a group without members.

    Raises:
        ApiError: the whole commit is refused.
    """
    out = Outcome()
    check_partition: PartitionCheck = allow_all
    consumers = state.consumer_groups.get(request.group_id)
    if consumers is not None:
        epoch = request.generation_id_or_member_epoch
        check_partition = check_commit(consumers, request.member_id, epoch, caller.api_version)
    else:
        group = _check_commit(state, request, caller)
        if group is not None and group.state in (ClassicState.STABLE, ClassicState.PREPARING_REBALANCE):
            renew_session(group, group.members[request.member_id], out)
    response = OffsetCommitResponse()
    retention_ms = request.retention_time_ms
    expires_ms = -1 if retention_ms == _NO_RETENTION_TIME else now_ms + retention_ms
    metadata_max = state.settings.offset_metadata_max_bytes
    for topic in request.topics:
        answer = OffsetCommitResponseTopic(name=topic.name, topic_id=topic.topic_id)
        response.topics.append(answer)
        version = OFFSET_VERSION if topic.topic_id == ZERO_UUID else OFFSET_VERSION_WITH_TOPIC_ID
        if expires_ms != -1:
            version = OFFSET_VERSION_WITH_EXPIRY
        for partition in topic.partitions:
            index = partition.partition_index
            metadata = partition.committed_metadata or ""
            if len(metadata) > metadata_max:
                too_large = ErrorCode.OFFSET_METADATA_TOO_LARGE
                answer.partitions.append(
                    OffsetCommitResponsePartition(partition_index=index, error_code=too_large)
                )
                continue
            if check_partition is not allow_all:
                check_partition(topic.topic_id, index)
            answer.partitions.append(OffsetCommitResponsePartition(partition_index=index))
            value = OffsetCommitValue(
                offset=partition.committed_offset,
                leader_epoch=partition.committed_leader_epoch,
                metadata=metadata,
                commit_timestamp=now_ms,
                expire_timestamp=expires_ms,
                topic_id=topic.topic_id,
            )
            out.records.append(offset_record(request.group_id, topic.name, index, value, version))
    return out.reply(token, response)


def _check_commit(state: GroupState, request: OffsetCommitRequest, caller: Caller) -> ClassicGroup | None:
    """The group that commits; None for one that this commit brings into being. Raises ApiError."""
    generation, member_id = request.generation_id_or_member_epoch, request.member_id
    instance_id = request.group_instance_id
    group = state.groups.get(request.group_id)
    if group is None:
        if request.group_id in state.share_groups:
            raise ApiError(ErrorCode.GROUP_ID_NOT_FOUND)
        if request.group_id in state.other_groups:
            state.other_groups[request.group_id].check_commit()
        if generation < 0:
            return None
        if caller.api_version >= _FIRST_VERSION_WITH_GROUP_ID_NOT_FOUND:
            raise ApiError(ErrorCode.GROUP_ID_NOT_FOUND)
        raise ApiError(ErrorCode.ILLEGAL_GENERATION)
    if generation < 0 and group.is_empty:
        return group  # An operator, or a consumer that assigns itself.
    if generation < 0 and not member_id and instance_id is None:
        raise ApiError(ErrorCode.UNKNOWN_MEMBER_ID)
    group.check_member(member_id, instance_id)
    if generation != group.generation:
        raise ApiError(ErrorCode.ILLEGAL_GENERATION)
    if group.state is ClassicState.COMPLETING_REBALANCE:
        # Its generation is the new one, for which nothing is assigned yet.
        raise ApiError(ErrorCode.REBALANCE_IN_PROGRESS)
    return group


def fetch_offsets(
    state: GroupState,
    group_id: str,
    topics: Sequence[WantedTopic] | None,
    *,
    require_stable: bool,
    member_id: str | None = None,
    member_epoch: int = -1,
) -> OffsetFetchResponseGroup:
    """Positions of some partitions, or of all that have one (None). -1 where there is none.

    Raises:
        ApiError: whoever asks as a member of a consumer group is none, or not in this epoch.
    """
    consumers = state.consumer_groups.get(group_id)
    if consumers is not None:
        check_fetch(consumers, member_id, member_epoch)
    response = OffsetFetchResponseGroup(group_id=group_id)
    if topics is None:
        topics = [
            WantedTopic(name, ZERO_UUID, list(partitions))
            for name, partitions in state.offsets.by_group.get(group_id, {}).items()
        ]
    for topic in topics:
        response.topics.append(
            OffsetFetchResponseTopics(
                name=topic.name,
                topic_id=topic.topic_id,
                partitions=[
                    _position(state, group_id, topic, index, require_stable)
                    for index in topic.partition_indexes
                ],
            )
        )
    return response


def _position(
    state: GroupState, group_id: str, topic: WantedTopic, index: int, require_stable: bool
) -> OffsetFetchResponsePartitions:
    if require_stable and state.offsets.is_pending(group_id, topic.name, index):
        unstable = ErrorCode.UNSTABLE_OFFSET_COMMIT
        return OffsetFetchResponsePartitions(
            partition_index=index, committed_offset=NO_OFFSET, metadata="", error_code=unstable
        )
    value = state.offsets.get(group_id, topic.name, index)
    if value is None or _is_of_another_topic(value.topic_id, topic.topic_id):
        return OffsetFetchResponsePartitions(partition_index=index, committed_offset=NO_OFFSET, metadata="")
    return OffsetFetchResponsePartitions(
        partition_index=index,
        committed_offset=value.offset,
        committed_leader_epoch=value.leader_epoch,
        metadata=value.metadata,
    )


def _is_of_another_topic(committed_id: bytes, wanted_id: bytes) -> bool:
    """Whether the offset belongs to a former topic of the same name."""
    return ZERO_UUID not in (committed_id, wanted_id) and committed_id != wanted_id


def delete_offsets(state: GroupState, request: OffsetDeleteRequest, token: object) -> Outcome:
    """Forget positions that no live member can be using.

    Raises:
        ApiError: the group does not exist, or has members whose subscriptions cannot be known.
    """
    group = state.consumer_groups.get(request.group_id) or state.groups.get(request.group_id)
    if group is None:
        raise ApiError(ErrorCode.GROUP_ID_NOT_FOUND)
    if isinstance(group, ClassicGroup) and not group.is_empty and group.protocol_type != CONSUMER:
        raise ApiError(ErrorCode.NON_EMPTY_GROUP)
    out = Outcome()
    response = OffsetDeleteResponse()
    pending = set(state.offsets.pending_of_group(group.group_id))
    for topic in request.topics:
        answer = OffsetDeleteResponseTopic(name=topic.name)
        response.topics.append(answer)
        is_subscribed = group.subscribes_to(topic.name)
        for partition in topic.partitions:
            index = partition.partition_index
            error_code = ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC if is_subscribed else ErrorCode.NONE
            answer.partitions.append(
                OffsetDeleteResponsePartition(partition_index=index, error_code=error_code)
            )
            is_known = (
                state.offsets.get(group.group_id, topic.name, index) is not None
                or (topic.name, index) in pending
            )
            if is_known and not is_subscribed:
                out.records.append(offset_tombstone(group.group_id, topic.name, index))
    return out.reply(token, response)
