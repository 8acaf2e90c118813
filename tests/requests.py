"""What tests of whole servers send again and again over `WireClient`, in versions that name topics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kstream.records.batch import read_header
from kstream.records.builder import build_batch
from kstream.testing.client import WireClient
from kstream.wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from kstream.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from kstream.wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from kstream.wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from kstream.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData

LATEST = -1
EARLIEST = -2
TIMEOUT_MS = 10_000
NOW_MS = 1_700_000_000_000


def create_topics_request(topic: str, partitions: int = 1) -> CreateTopicsRequest:
    wanted = CreatableTopic(name=topic, num_partitions=partitions, replication_factor=1)
    return CreateTopicsRequest(topics=[wanted], timeout_ms=TIMEOUT_MS)


def create_topic(client: WireClient, topic: str, partitions: int = 1) -> Any:
    """Create a topic, and return its part of the answer once it is served (Kafka's broker follows later)."""
    (created,) = client.request(create_topics_request(topic, partitions), 7).topics
    if created.error_code == 0:
        while describe_topic(client, topic).error_code != 0:
            pass
        while any(_list_offsets(client, topic, LATEST, n).error_code != 0 for n in range(partitions)):
            pass
    return created


def describe_topic(client: WireClient, topic: str) -> Any:
    """One topic's part of Metadata's answer, without creating it."""
    request = MetadataRequest(topics=[MetadataRequestTopic(name=topic)], allow_auto_topic_creation=False)
    (found,) = client.request(request, 12).topics
    return found


def values_batch(values: Sequence[bytes], **options: Any) -> bytes:
    """A batch of records without keys; `options` are build_batch's."""
    return build_batch([(NOW_MS, None, value) for value in values], **options)


def produce_request(topic: str, records: bytes, *, partition: int = 0, acks: int = 1) -> ProduceRequest:
    data = PartitionProduceData(index=partition, records=records)
    return ProduceRequest(
        acks=acks, timeout_ms=TIMEOUT_MS, topic_data=[TopicProduceData(name=topic, partition_data=[data])]
    )


def produce(client: WireClient, topic: str, records: bytes, *, partition: int = 0) -> Any:
    """Produce one partition's batches; that partition's part of the answer."""
    answer = client.request(produce_request(topic, records, partition=partition), 12)
    return answer.responses[0].partition_responses[0]


def fetch_request(topic: str, offset: int, *, partition: int = 0, max_wait_ms: int = 0) -> FetchRequest:
    wanted = FetchPartition(partition=partition, fetch_offset=offset, partition_max_bytes=1 << 20)
    return FetchRequest(
        max_wait_ms=max_wait_ms,
        min_bytes=1,
        max_bytes=1 << 24,
        topics=[FetchTopic(topic=topic, partitions=[wanted])],
    )


def fetch(client: WireClient, topic: str, offset: int, *, partition: int = 0, max_wait_ms: int = 0) -> Any:
    """Fetch from one partition, outside any session; that partition's part of the answer."""
    answer = client.request(fetch_request(topic, offset, partition=partition, max_wait_ms=max_wait_ms), 12)
    return answer.responses[0].partitions[0]


def batches(records: Any) -> Iterator[bytes]:
    """The batches of a fetched partition, cut apart; a torn one at the end is left out."""
    data = bytes(records or b"")
    position = 0
    while position + 61 <= len(data):
        size_bytes = read_header(data, position).size_bytes
        if position + size_bytes > len(data):
            return
        yield data[position : position + size_bytes]
        position += size_bytes


def offset_of(client: WireClient, topic: str, timestamp: int = LATEST, *, partition: int = 0) -> int:
    """What ListOffsets answers for a time, or for EARLIEST or LATEST."""
    return int(_list_offsets(client, topic, timestamp, partition).offset)


def _list_offsets(client: WireClient, topic: str, timestamp: int, partition: int) -> Any:
    wanted = ListOffsetsPartition(partition_index=partition, timestamp=timestamp)
    request = ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name=topic, partitions=[wanted])])
    return client.request(request, 7).topics[0].partitions[0]
