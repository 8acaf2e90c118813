"""What operators do to a share group's place in topics: move it, forget it, delete the whole group.

Each takes two steps, since the share states are with another coordinator: the first writes down what is to be
done and says it in a plan, which the caller carries out; the second writes down that it is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kstream.coordinator.outcome import Outcome
from kstream.errors import ErrorCode
from kstream.groups.cluster import Cluster
from kstream.groups.share.initializing import InitializeStates, move
from kstream.groups.share.partitions import StatePartitions, TopicPart, merged
from kstream.groups.share.share_records import partitions_record
from kstream.groups.state import GroupState
from kstream.wire.messages.alter_share_group_offsets import (
    AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsResponse,
    AlterShareGroupOffsetsResponsePartition,
    AlterShareGroupOffsetsResponseTopic,
)
from kstream.wire.messages.delete_share_group_offsets import DeleteShareGroupOffsetsResponseTopic

_UNKNOWN = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
_NO_SUCH = "This server does not host this topic-partition."


class MovePlan(NamedTuple):
    """States to initialize, and the answer if that succeeds."""

    states: InitializeStates
    response: AlterShareGroupOffsetsResponse


def alter_offsets(
    state: GroupState, request: AlterShareGroupOffsetsRequest, token: object, now_ms: int
) -> Outcome:
    """Begin to move a group that has no members, or does not exist; answers with a MovePlan.

    Raises:
        ApiError: GROUP_ID_NOT_FOUND for a group of another kind, NON_EMPTY_GROUP.
    """
    group = state.share_group_to_join(request.group_id)
    group.check_empty()
    response = AlterShareGroupOffsetsResponse()
    topics: dict[bytes, TopicPart] = {}
    starts: dict[bytes, dict[int, int]] = {}
    for wanted in request.topics:
        topic = state.cluster.topic_named(wanted.topic_name)
        answer = AlterShareGroupOffsetsResponseTopic(topic_name=wanted.topic_name)
        response.responses.append(answer)
        count = 0
        if topic is not None:
            answer.topic_id = topic.topic_id
            count = topic.partition_count
        for partition in wanted.partitions:
            index = partition.partition_index
            result = AlterShareGroupOffsetsResponsePartition(partition_index=index)
            answer.partitions.append(result)
            if topic is None or not 0 <= index < count:
                result.error_code, result.error_message = _UNKNOWN, _NO_SUCH
            else:
                starts.setdefault(topic.topic_id, {})[index] = partition.start_offset
        if topic is not None and topic.topic_id in starts:
            topics[topic.topic_id] = TopicPart(topic.name, frozenset(starts[topic.topic_id]))
    out = move(state, group, topics, now_ms)
    return out.reply(token, MovePlan(InitializeStates(group.group_id, group.epoch, starts), response))


class ForgetPlan(NamedTuple):
    """States to delete, by topic id, and what cannot be deleted."""

    states: Mapping[bytes, TopicPart]
    refused: list[DeleteShareGroupOffsetsResponseTopic]


def delete_offsets(state: GroupState, group_id: str, names: Iterable[str], token: object) -> Outcome:
    """Begin to forget what a group knows of topics; answers with a ForgetPlan.

    Raises:
        ApiError: GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP.
    """
    group = state.share_group(group_id)
    group.check_empty()
    out = Outcome()
    known = group.partitions
    if known is None:
        return out.reply(token, ForgetPlan({}, []))
    states: dict[bytes, TopicPart] = {}
    refused: list[DeleteShareGroupOffsetsResponseTopic] = []
    for name in dict.fromkeys(names):
        topic = state.cluster.topic_named(name)
        if topic is None:
            refused.append(_refusal(name, _NO_SUCH))
        elif topic.topic_id in known.deleting:
            # The last attempt did not come through.
            states[topic.topic_id] = TopicPart(name, frozenset(range(topic.partition_count)))
        elif topic.topic_id in known.initialized:
            states[topic.topic_id] = known.initialized[topic.topic_id]
        else:
            refused.append(_refusal(name, "There is no offset information to delete."))
    if states:
        begun = known.forgetting([topic_id for topic_id in states if topic_id in known.initialized])
        out.records.append(partitions_record(group_id, begun))
    return out.reply(token, ForgetPlan(states, refused))


def _refusal(name: str, message: str) -> DeleteShareGroupOffsetsResponseTopic:
    return DeleteShareGroupOffsetsResponseTopic(topic_name=name, error_code=_UNKNOWN, error_message=message)


def offsets_deleted(state: GroupState, group_id: str, topic_ids: Iterable[bytes], token: object) -> Outcome:
    """The share states of these topics are deleted."""
    out = Outcome()
    group = state.share_groups.get(group_id)
    if group is not None and group.partitions is not None:
        left = group.partitions.forgotten(topic_ids)
        if left != group.partitions:
            out.records.append(partitions_record(group_id, left))
    return out.reply(token, True)


def begin_deletion(state: GroupState, group_id: str, token: object) -> Outcome:
    """Begin to delete a group: answers with the partitions, by topic id, whose states are to be deleted
    first. Nothing for groups of other kinds, and those that do not exist.

    Raises:
        ApiError: NON_EMPTY_GROUP.
    """
    out = Outcome()
    group = state.share_groups.get(group_id)
    if group is None or group.partitions is None:
        if group is not None:
            group.check_empty()
        return out.reply(token, {})
    group.check_empty()
    known = group.partitions
    states = merged(merged(known.initialized, known.initializing), _retried(known, state.cluster))
    deleting = StatePartitions(deleting={topic_id: part.name for topic_id, part in states.items()})
    out.records.append(partitions_record(group_id, deleting))
    return out.reply(token, states)


def _retried(known: StatePartitions, cluster: Cluster) -> dict[bytes, TopicPart]:
    """Topics that exist and whose states were to be deleted before: it may not have come to that."""
    topics = (cluster.topic_identified(topic_id) for topic_id in known.deleting)
    return {
        topic.topic_id: TopicPart(topic.name, frozenset(range(topic.partition_count)))
        for topic in topics
        if topic is not None
    }


def initialized_partitions(state: GroupState, group_id: str) -> Mapping[bytes, TopicPart]:
    """What the group has share states of; nothing for groups of other kinds."""
    group = state.share_groups.get(group_id)
    return {} if group is None or group.partitions is None else group.partitions.initialized
