"""DescribeProducers, version 0 (KIP-664).

- The producers that a partition remembers: epoch, last sequence and time, and where their open transaction
  began. Those that were silent for `producer.id.expiration.ms` are there until they are swept away.
- 3, 6 and 17; each partition is answered as often as it is asked for.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.names import check_name
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    PartitionResponse,
    ProducerState,
    TopicResponse,
)

_NONE = -1


@handles(ApiKey.DESCRIBE_PRODUCERS)
async def handle(context: RequestContext, request: DescribeProducersRequest) -> DescribeProducersResponse:
    response = DescribeProducersResponse()
    for topic in request.topics:
        partitions: list[PartitionResponse] = []
        for index in topic.partition_indexes:
            partition = PartitionResponse(partition_index=index)
            partitions.append(partition)
            try:
                _check_topic(context, topic.name)
                partition.active_producers = await _describe(context, topic.name, index)
            except ApiError as error:
                partition.error_code = error.code
                partition.error_message = error.message
        response.topics.append(TopicResponse(name=topic.name, partitions=partitions))
    return response


def _check_topic(context: RequestContext, name: str) -> None:
    check_name(name)
    if name not in context.broker.metadata.image.topics_by_name:
        raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"There is no topic {name}.")


async def _describe(context: RequestContext, topic_name: str, index: int) -> list[ProducerState]:
    partition = await context.broker.partitions.get(topic_name, index)
    return [
        ProducerState(
            producer_id=entry.producer_id,
            producer_epoch=entry.epoch,
            last_sequence=entry.batches[-1].last_sequence if entry.batches else _NONE,
            last_timestamp=entry.last_timestamp_ms,
            coordinator_epoch=entry.coordinator_epoch,
            current_txn_start_offset=_NONE if entry.txn_first_offset is None else entry.txn_first_offset,
        )
        for entry in partition.log.producers.entries.values()
    ]
