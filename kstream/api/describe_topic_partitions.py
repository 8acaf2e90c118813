"""DescribeTopicPartitions, version 0 (KIP-966).

- Topics in the order of their names, all of them if none is named, up to a number of partitions: the
request's limit,
  at least 1, at most `max.request.partition.size.limit`. The cursor says where the next page begins.
- Unknown topics get 3, impossible names 17; neither counts against the limit. Nothing is created.
- A cursor with a negative partition, or on a topic that is not among those named, fails the request with 42,
  an empty name, as in Kafka, with -1.
"""

from __future__ import annotations

from collections.abc import Sequence

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.authorized_operations import TOPIC_OPERATIONS
from kstream.broker.metadata.image import INTERNAL_TOPICS, NO_LEADER, PartitionImage, TopicImage
from kstream.broker.metadata.names import fault_of
from kstream.errors import ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
)


@handles(ApiKey.DESCRIBE_TOPIC_PARTITIONS)
async def handle(
    context: RequestContext, request: DescribeTopicPartitionsRequest
) -> DescribeTopicPartitionsResponse:
    image = context.broker.metadata.image
    names = {topic.name for topic in request.topics}
    cursor = request.cursor or Cursor(topic_name="", partition_index=0)
    if cursor.partition_index < 0 or (request.cursor and names and cursor.topic_name not in names):
        return _failure(request, ErrorCode.INVALID_REQUEST)
    if "" in names and request.cursor is None:
        return _failure(request, ErrorCode.UNKNOWN_SERVER_ERROR)
    limit = context.broker.config.max_request_partition_size_limit
    remaining = max(1, min(request.response_partition_limit, limit))
    live = [broker.broker_id for broker in image.live_brokers()]
    response = DescribeTopicPartitionsResponse()
    for name in sorted(names or image.topics_by_name):
        if name < cursor.topic_name:
            continue
        if not remaining:
            response.next_cursor = Cursor(topic_name=name, partition_index=0)
            break
        topic = image.topics_by_name.get(name)
        if topic is None:
            response.topics.append(_unknown(name))
            continue
        start = cursor.partition_index if name == cursor.topic_name else 0
        page = topic.partitions[start : start + remaining]
        remaining -= len(page)
        response.topics.append(_answer(topic, page, live))
        if start + len(page) < len(topic.partitions):
            response.next_cursor = Cursor(topic_name=name, partition_index=start + len(page))
            break
    return response


def _answer(
    topic: TopicImage, page: Sequence[PartitionImage], live: Sequence[int]
) -> DescribeTopicPartitionsResponseTopic:
    return DescribeTopicPartitionsResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        is_internal=topic.is_internal,
        partitions=[
            DescribeTopicPartitionsResponsePartition(
                error_code=ErrorCode.LEADER_NOT_AVAILABLE
                if partition.leader == NO_LEADER
                else ErrorCode.NONE,
                partition_index=partition.index,
                leader_id=partition.leader,
                leader_epoch=partition.leader_epoch,
                replica_nodes=list(partition.replicas),
                isr_nodes=list(partition.isr),
                eligible_leader_replicas=list(partition.eligible_leader_replicas),
                last_known_elr=list(partition.last_known_eligible),
                offline_replicas=[replica for replica in partition.replicas if replica not in live],
            )
            for partition in page
        ],
        topic_authorized_operations=TOPIC_OPERATIONS,
    )


def _unknown(name: str) -> DescribeTopicPartitionsResponseTopic:
    fault = fault_of(name)
    return DescribeTopicPartitionsResponseTopic(
        error_code=ErrorCode.INVALID_TOPIC_EXCEPTION if fault else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        name=name,
        is_internal=name in INTERNAL_TOPICS,
        topic_authorized_operations=TOPIC_OPERATIONS,
    )


def _failure(
    request: DescribeTopicPartitionsRequest, error_code: ErrorCode
) -> DescribeTopicPartitionsResponse:
    return DescribeTopicPartitionsResponse(
        topics=[
            DescribeTopicPartitionsResponseTopic(error_code=error_code, name=topic.name)
            for topic in request.topics
        ]
    )
