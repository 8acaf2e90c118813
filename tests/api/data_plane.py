"""A broker in the test's own event loop, asked through its handlers without sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import trio

from kstream.api import fetch, produce
from kstream.api.context import RequestContext
from kstream.broker.broker import Broker
from kstream.broker.metadata.create_topics import NewTopic, create_topics
from kstream.broker.metadata.delete_topics import TopicKey, delete_topics
from kstream.clock import ManualClock
from kstream.config.broker import BrokerConfig
from kstream.log.slices import LogSlice
from kstream.records.builder import build_batch
from kstream.wire.messages.fetch import (
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    PartitionData,
)
from kstream.wire.messages.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    TopicProduceData,
)
from tests.virtual_time import run_in_virtual_time

NOW_MS = 1_700_000_000_000


def run(test: Callable[[], Awaitable[None]], *, virtual_time: bool = False) -> None:
    """Run a test's coroutine function; with `virtual_time`, time leaps whenever everybody waits."""
    run_in_virtual_time(test) if virtual_time else trio.run(test)


@asynccontextmanager
async def opened(data_dir: Path, *topics: str, **settings: str) -> AsyncIterator[Broker]:
    """A broker with some topics of two partitions and some settings (`_` for `.` in their keys)."""
    static = {key.replace("_", "."): value for key, value in settings.items()}
    broker = Broker.open(data_dir, BrokerConfig(static), ManualClock(NOW_MS))
    try:
        await broker.create_missing_topics([(topic, 2) for topic in topics])
        yield broker
    finally:
        broker.close()


async def create(broker: Broker, name: str, **configs: str) -> None:
    """Create a topic of one partition with some configuration (`_` for `.` in its keys)."""
    wanted = NewTopic(name, 1, configs=[(key.replace("_", "."), value) for key, value in configs.items()])
    (created,) = await broker.metadata.update(lambda image: create_topics(image, broker.config, [wanted]))
    assert created.error is None


async def delete(broker: Broker, name: str) -> None:
    await broker.metadata.update(lambda image: delete_topics(image, [TopicKey(name)]))


def batch(*values: bytes, timestamp_ms: int = NOW_MS, key: bytes | None = b"k", **options: Any) -> bytes:
    """A record batch of some values."""
    return bytes(build_batch([(timestamp_ms, key, value) for value in values], **options))


async def produced(
    broker: Broker,
    records: bytes | None,
    topic: str = "t",
    *,
    partition: int = 0,
    acks: int = 1,
    version: int = 9,
    context: RequestContext | None = None,
) -> PartitionProduceResponse:
    """Produce one batch to one partition; the partition's answer."""
    context = RequestContext(broker) if context is None else context
    context.api_version = version
    view = None if records is None else memoryview(bytearray(records))
    data = TopicProduceData(name=topic, partition_data=[PartitionProduceData(index=partition, records=view)])
    response = await produce.handle(context, ProduceRequest(acks=acks, topic_data=[data]))
    assert response is not None
    (answer,) = response.responses[0].partition_responses
    return answer


def fetch_request(
    offset: int = 0,
    *,
    topic: str = "t",
    partitions: tuple[int, ...] = (0,),
    max_wait_ms: int = 0,
    min_bytes: int = 1,
    max_bytes: int = 1 << 20,
    partition_max_bytes: int = 1 << 20,
    session: tuple[int, int] = (0, -1),
    **options: Any,
) -> FetchRequest:
    """A fetch of some partitions of one topic, each from the same offset."""
    return FetchRequest(
        max_wait_ms=max_wait_ms,
        min_bytes=min_bytes,
        max_bytes=max_bytes,
        session_id=session[0],
        session_epoch=session[1],
        topics=[
            FetchTopic(
                topic=topic,
                partitions=[
                    FetchPartition(
                        partition=partition,
                        fetch_offset=offset,
                        partition_max_bytes=partition_max_bytes,
                        **options,
                    )
                    for partition in partitions
                ],
            )
        ],
    )


async def fetched(broker: Broker, request: FetchRequest, *, version: int = 12) -> FetchResponse:
    context = RequestContext(broker, api_version=version)
    return await fetch.handle(context, request)


def only(response: FetchResponse) -> PartitionData:
    """The one partition of an answer."""
    (topic,) = response.responses
    (partition,) = topic.partitions
    return partition


def bytes_of(partition: PartitionData) -> bytes:
    """The record bytes of an answer, read through the mapping."""
    records = partition.records
    return bytes(records.view()) if isinstance(records, LogSlice) else bytes(cast(bytes, records))
