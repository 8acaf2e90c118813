"""Short ways to write the requests that scenarios send most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from compat.oracle.run import Run, Topic
from kstream.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic, ForgottenTopic
from kstream.wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from kstream.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData

UNKNOWN_ID = bytes.fromhex("00112233445566778899aabbccddeeff")
NO_TOPIC = Topic("no-such-topic", UNKNOWN_ID)

Wanted = tuple[Topic, Sequence[FetchPartition]]


def part(
    index: int = 0,
    offset: int = 0,
    size: int = 1 << 20,
    *,
    epoch: int = -1,
    last_epoch: int = -1,
    start: int = -1,
) -> FetchPartition:
    """What to fetch of one partition."""
    return FetchPartition(
        partition=index,
        fetch_offset=offset,
        partition_max_bytes=size,
        current_leader_epoch=epoch,
        last_fetched_epoch=last_epoch,
        log_start_offset=start,
    )


def fetch(*wanted: Wanted, forgotten: Iterable[tuple[Topic, list[int]]] = (), **fields: Any) -> FetchRequest:
    """A fetch that does not wait, unless told otherwise. Topics go by name or by id, as the version wants."""
    values: dict[str, Any] = {"max_wait_ms": 0, "min_bytes": 1, "max_bytes": 1 << 20} | fields
    return FetchRequest(
        topics=[
            FetchTopic(topic=topic.name, topic_id=topic.id, partitions=list(partitions))
            for topic, partitions in wanted
        ],
        forgotten_topics_data=[
            ForgottenTopic(topic=topic.name, topic_id=topic.id, partitions=partitions)
            for topic, partitions in forgotten
        ],
        **values,
    )


def produce(
    *parts: tuple[Topic, int, bytes | None], acks: int = -1, timeout_ms: int = 10_000, **fields: Any
) -> ProduceRequest:
    """Each part: topic, partition, records. Parts of one topic that follow one another share its entry."""
    topics: list[TopicProduceData] = []
    for topic, index, records in parts:
        if not topics or topics[-1].name != topic.name:
            topics.append(TopicProduceData(name=topic.name, topic_id=topic.id, partition_data=[]))
        topics[-1].partition_data.append(PartitionProduceData(index=index, records=records))
    return ProduceRequest(acks=acks, timeout_ms=timeout_ms, topic_data=topics, **fields)


def store(run: Run, topic: Topic, *records: bytes, index: int = 0) -> None:
    """Produce batches, unrecorded, one request for each."""
    for each in records:
        answer = run.ask(produce((topic, index, each)), 9)
        code = answer.responses[0].partition_responses[0].error_code
        if code:
            raise AssertionError(f"{topic.name}: could not be filled, error {code}")


def offsets(
    *wanted: tuple[str, int, int], isolation: int = 0, epoch: int = -1, **fields: Any
) -> ListOffsetsRequest:
    """Each part: topic, partition, timestamp. Parts of one topic that follow one another share its entry."""
    topics: list[ListOffsetsTopic] = []
    for name, index, timestamp in wanted:
        if not topics or topics[-1].name != name:
            topics.append(ListOffsetsTopic(name=name, partitions=[]))
        topics[-1].partitions.append(
            ListOffsetsPartition(partition_index=index, timestamp=timestamp, current_leader_epoch=epoch)
        )
    values: dict[str, Any] = {"replica_id": -1} | fields
    return ListOffsetsRequest(isolation_level=isolation, topics=topics, **values)
