"""Appending a record as a client would, without the network between."""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import Handler
from kstream.broker.broker import Broker
from kstream.errors import ApiError, ErrorCode
from kstream.records.builder import build_batch
from kstream.replay.event import Event
from kstream.testing.partitioning import partition_of_key
from kstream.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData

Headers = tuple[tuple[str, bytes | None], ...]

_VERSION = 12  # the last that names topics


async def produce_record(
    broker: Broker,
    handler: Handler,
    topic: str,
    key: bytes | None,
    value: bytes | None,
    headers: Headers = (),
    *,
    partition: int | None = None,
    timestamp_ms: int | None = None,
    client_id: str = "kstream.testing",
) -> Event:
    """Append one record through the handler of Produce, and return it as it stands in the log.

    Without `partition`, the key chooses as in Java's client; what has no key goes to partition 0. The time is
    the broker's unless given.

    Raises:
        ApiError: what Produce answers, such as UNKNOWN_TOPIC_OR_PARTITION.
    """
    if partition is None:
        partition = 0 if key is None else partition_of_key(key, partition_count(broker, topic))
    at_ms = broker.clock.now_ms() if timestamp_ms is None else timestamp_ms
    batch = bytearray(build_batch([(at_ms, key, value, headers)]))  # the broker may write its time into it
    produced = PartitionProduceData(index=partition, records=memoryview(batch))
    request = ProduceRequest(
        acks=-1, timeout_ms=30_000, topic_data=[TopicProduceData(name=topic, partition_data=[produced])]
    )
    response = await handler(RequestContext(broker, api_version=_VERSION, client_id=client_id), request)
    (answer,) = response.responses[0].partition_responses
    if answer.error_code:
        raise ApiError(ErrorCode(answer.error_code), answer.error_message)
    is_append_time = answer.log_append_time_ms >= 0
    time_ms = answer.log_append_time_ms if is_append_time else at_ms
    return Event(partition, answer.base_offset, time_ms, key, value, headers, is_append_time)


def partition_count(broker: Broker, topic: str) -> int:
    """How many partitions a topic has. Raises ApiError UNKNOWN_TOPIC_OR_PARTITION."""
    found = broker.metadata.image.topics_by_name.get(topic)
    if found is None:
        raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"there is no topic {topic}")
    return len(found.partitions)
