"""Short ways to write the requests of share groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compat.oracle.run import Run, Topic
from kstream.wire.messages import (
    delete_share_group_state,
    initialize_share_group_state,
    read_share_group_state,
    read_share_group_state_summary,
    share_acknowledge,
    share_fetch,
    write_share_group_state,
)
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.uuids import format_uuid

SHARE_KEY_TYPE = 2
GAP, ACCEPT, RELEASE, REJECT, RENEW = range(5)
AVAILABLE, ACQUIRED, ACKNOWLEDGED, ARCHIVING, ARCHIVED = range(5)
BATCH_OPTIMIZED, RECORD_LIMIT = range(2)
INITIAL_EPOCH, FINAL_EPOCH = 0, -1

Acknowledged = tuple[int, int, Sequence[int]]
"""First offset, last offset, types."""


def await_coordinator(run: Run, group_id: str, topic: Topic, partitions: int = 1) -> None:
    """Wait until the share-state coordinators of the first partitions answer."""
    for index in range(partitions):
        key = f"{group_id}:{format_uuid(topic.id)}:{index}"
        run.until(
            FindCoordinatorRequest(key_type=SHARE_KEY_TYPE, coordinator_keys=[key]),
            6,
            lambda answer: answer.coordinators[0].error_code == 0,
        )
        run.until(
            summary(group_id, topic, index),
            0,
            lambda answer: answer.results[0].partitions[0].error_code not in (14, 15, 16),
        )


def initialize(
    group_id: str, topic: Topic, *indexes: int, start: int = 0, state_epoch: int = 0
) -> initialize_share_group_state.InitializeShareGroupStateRequest:
    """Begin partitions (0, unless some are named) at one offset."""
    partitions = [
        initialize_share_group_state.PartitionData(
            partition=index, state_epoch=state_epoch, start_offset=start
        )
        for index in indexes or (0,)
    ]
    wanted = initialize_share_group_state.InitializeStateData(topic_id=topic.id, partitions=partitions)
    return initialize_share_group_state.InitializeShareGroupStateRequest(group_id=group_id, topics=[wanted])


def read(
    group_id: str, topic: Topic, index: int = 0, leader_epoch: int = 0
) -> read_share_group_state.ReadShareGroupStateRequest:
    """All of one partition's state."""
    partition = read_share_group_state.PartitionData(partition=index, leader_epoch=leader_epoch)
    wanted = read_share_group_state.ReadStateData(topic_id=topic.id, partitions=[partition])
    return read_share_group_state.ReadShareGroupStateRequest(group_id=group_id, topics=[wanted])


def summary(
    group_id: str, topic: Topic, index: int = 0, leader_epoch: int = 0
) -> read_share_group_state_summary.ReadShareGroupStateSummaryRequest:
    """How far one partition has come."""
    partition = read_share_group_state_summary.PartitionData(partition=index, leader_epoch=leader_epoch)
    wanted = read_share_group_state_summary.ReadStateSummaryData(topic_id=topic.id, partitions=[partition])
    return read_share_group_state_summary.ReadShareGroupStateSummaryRequest(
        group_id=group_id, topics=[wanted]
    )


def write(
    group_id: str,
    topic: Topic,
    *batches: tuple[int, int, int, int],
    index: int = 0,
    start: int = 0,
    complete: int = 0,
    state_epoch: int = 0,
    leader_epoch: int = 0,
) -> write_share_group_state.WriteShareGroupStateRequest:
    """Change one partition's state; a batch is first offset, last offset, state, delivery count."""
    partition = write_share_group_state.PartitionData(
        partition=index,
        state_epoch=state_epoch,
        leader_epoch=leader_epoch,
        start_offset=start,
        delivery_complete_count=complete,
        state_batches=[
            write_share_group_state.StateBatch(
                first_offset=first, last_offset=last, delivery_state=state, delivery_count=count
            )
            for first, last, state, count in batches
        ],
    )
    wanted = write_share_group_state.WriteStateData(topic_id=topic.id, partitions=[partition])
    return write_share_group_state.WriteShareGroupStateRequest(group_id=group_id, topics=[wanted])


def delete(
    group_id: str, topic: Topic, *indexes: int
) -> delete_share_group_state.DeleteShareGroupStateRequest:
    """Forget the state of partitions."""
    partitions = [delete_share_group_state.PartitionData(partition=index) for index in indexes or (0,)]
    wanted = delete_share_group_state.DeleteStateData(topic_id=topic.id, partitions=partitions)
    return delete_share_group_state.DeleteShareGroupStateRequest(group_id=group_id, topics=[wanted])


def share_fetch_of(
    group_id: str,
    member_id: str | None,
    epoch: int,
    *wanted: tuple[Topic, Sequence[int]],
    acks: Sequence[tuple[Topic, int, Sequence[Acknowledged]]] = (),
    forgotten: Sequence[tuple[Topic, list[int]]] = (),
    **fields: Any,
) -> share_fetch.ShareFetchRequest:
    """A share fetch that does not wait, unless told otherwise; `acks` are per topic and partition."""
    topics: dict[bytes, dict[int, share_fetch.FetchPartition]] = {}
    for topic, indexes in wanted:
        for index in indexes:
            topics.setdefault(topic.id, {})[index] = share_fetch.FetchPartition(partition_index=index)
    for topic, index, batches in acks:
        partition = topics.setdefault(topic.id, {}).setdefault(
            index, share_fetch.FetchPartition(partition_index=index)
        )
        partition.acknowledgement_batches = [
            share_fetch.AcknowledgementBatch(
                first_offset=first, last_offset=last, acknowledge_types=list(types)
            )
            for first, last, types in batches
        ]
    values: dict[str, Any] = {
        "max_wait_ms": 0,
        "min_bytes": 0,
        "max_bytes": 1 << 20,
        "max_records": 500,
        "batch_size": 500,
    }
    return share_fetch.ShareFetchRequest(
        group_id=group_id,
        member_id=member_id,
        share_session_epoch=epoch,
        topics=[
            share_fetch.FetchTopic(topic_id=topic_id, partitions=list(partitions.values()))
            for topic_id, partitions in topics.items()
        ],
        forgotten_topics_data=[
            share_fetch.ForgottenTopic(topic_id=topic.id, partitions=indexes) for topic, indexes in forgotten
        ],
        **(values | fields),
    )


def acknowledge(
    group_id: str | None,
    member_id: str | None,
    epoch: int,
    *acks: tuple[Topic, int, Sequence[Acknowledged]],
    **fields: Any,
) -> share_acknowledge.ShareAcknowledgeRequest:
    """Acknowledgements per topic and partition."""
    topics: dict[bytes, list[share_acknowledge.AcknowledgePartition]] = {}
    for topic, index, batches in acks:
        topics.setdefault(topic.id, []).append(
            share_acknowledge.AcknowledgePartition(
                partition_index=index,
                acknowledgement_batches=[
                    share_acknowledge.AcknowledgementBatch(
                        first_offset=first, last_offset=last, acknowledge_types=list(types)
                    )
                    for first, last, types in batches
                ],
            )
        )
    return share_acknowledge.ShareAcknowledgeRequest(
        group_id=group_id,
        member_id=member_id,
        share_session_epoch=epoch,
        topics=[
            share_acknowledge.AcknowledgeTopic(topic_id=topic_id, partitions=partitions)
            for topic_id, partitions in topics.items()
        ],
        **fields,
    )
