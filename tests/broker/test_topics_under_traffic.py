"""Topics deleted, made anew and enlarged while clients produce and fetch: no records are mixed up or lost."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from pathlib import Path

import trio

from kstream.api import fetch, produce
from kstream.api.context import RequestContext
from kstream.broker.broker import Broker
from kstream.broker.metadata.create_partitions import NewPartitions, create_partitions
from kstream.errors import ErrorCode
from kstream.records.batch import iter_headers
from kstream.records.record import iter_records
from kstream.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from kstream.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from tests.api.data_plane import batch, bytes_of, create, delete, only, opened, run

LIVES = 12
BATCHES_A_LIFE = 8
PRODUCERS = 3


class Traffic:
    """Producers and readers that know the topic by its id, as clients do, and note what they were told."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.acknowledged: dict[bytes, dict[int, bytes]] = defaultdict(dict)  # topic id -> offset -> value
        self.read: dict[bytes, dict[int, bytes]] = defaultdict(dict)
        self.told_gone: set[bytes] = set()
        self.sent = 0

    def topic_id(self) -> bytes | None:
        topic = self.broker.metadata.image.topics_by_name.get("t")
        return None if topic is None else topic.topic_id

    async def produce_forever(self) -> None:
        while True:
            topic_id = self.topic_id()
            await trio.lowlevel.checkpoint()
            if topic_id is not None:
                await self._produce(topic_id)

    async def _produce(self, topic_id: bytes) -> None:
        self.sent += 1
        value = b"%d" % self.sent
        data = PartitionProduceData(index=0, records=memoryview(bytearray(batch(value))))
        request = ProduceRequest(
            acks=-1, topic_data=[TopicProduceData(topic_id=topic_id, partition_data=[data])]
        )
        response = await produce.handle(RequestContext(self.broker, api_version=13), request)
        assert response is not None
        (answer,) = response.responses[0].partition_responses
        if answer.error_code == 0:
            assert answer.base_offset not in self.acknowledged[topic_id]
            self.acknowledged[topic_id][answer.base_offset] = value
        else:
            assert answer.error_code == ErrorCode.UNKNOWN_TOPIC_ID
            self.told_gone.add(topic_id)

    async def read_forever(self) -> None:
        topic_id, offset = None, 0
        while True:
            if topic_id is None or not await self._read(topic_id, offset):
                topic_id, offset = self.topic_id(), 0
                await trio.lowlevel.checkpoint()
            else:
                offset = max(self.read[topic_id], default=-1) + 1

    async def _read(self, topic_id: bytes, offset: int) -> bool:
        """One long poll; whether the topic is still there."""
        part = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1 << 20)
        request = FetchRequest(
            max_wait_ms=60_000,
            min_bytes=1,
            max_bytes=1 << 20,
            session_epoch=-1,
            topics=[FetchTopic(topic_id=topic_id, partitions=[part])],
        )
        answer = only(await fetch.handle(RequestContext(self.broker, api_version=13), request))
        # As Kafka's, a fetch that waits where a topic is deleted is told of the partition.
        if answer.error_code in (ErrorCode.UNKNOWN_TOPIC_ID, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION):
            self.told_gone.add(topic_id)
            return False
        assert answer.error_code == 0
        content = bytes_of(answer)
        position = 0
        for header in iter_headers(content, partial_ok=True):
            for record in iter_records(content, position, header=header):
                known = self.read[topic_id].setdefault(record.offset, record.value or b"")
                assert known == record.value
            position += header.size_bytes
        return True


def test_a_topic_deleted_and_made_anew_is_another_one(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker, trio.open_nursery() as nursery:
            traffic = Traffic(broker)
            for _ in range(PRODUCERS):
                nursery.start_soon(traffic.produce_forever)
                nursery.start_soon(traffic.read_forever)
            lives: list[bytes] = []
            with trio.fail_after(240):
                for _ in range(LIVES):
                    await create(broker, "t")
                    topic_id = traffic.topic_id()
                    assert topic_id is not None
                    lives.append(topic_id)
                    while len(traffic.read[topic_id]) < BATCHES_A_LIFE:
                        await trio.lowlevel.checkpoint()
                    await delete(broker, "t")
                    while topic_id not in traffic.told_gone:
                        await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        assert len(set(lives)) == LIVES
        for topic_id in lives:
            acknowledged = traffic.acknowledged[topic_id]
            assert sorted(acknowledged) == list(range(len(acknowledged)))
            # A record may have been read before its producer was told.
            for offset, value in traffic.read[topic_id].items():
                assert acknowledged.get(offset, value) == value
        values = [value for each in traffic.acknowledged.values() for value in each.values()]
        assert len(values) == len(set(values))

    run(test)


def test_partitions_added_to_a_live_topic(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker, trio.open_nursery() as nursery:
            traffic = Traffic(broker)
            await create(broker, "t")
            topic_id = traffic.topic_id()
            assert topic_id is not None
            for _ in range(PRODUCERS):
                nursery.start_soon(traffic.produce_forever)
                nursery.start_soon(traffic.read_forever)
            with trio.fail_after(240):
                for count in range(2, 8):
                    before = len(traffic.read[topic_id])
                    (grown,) = await broker.metadata.update(
                        partial(create_partitions, topics=[NewPartitions("t", count)])
                    )
                    assert grown.error is None
                    added = await broker.partitions.get(topic_id, count - 1)
                    assert (added.log.log_start_offset, added.log.end_offset) == (0, 0)
                    while len(traffic.read[topic_id]) < before + BATCHES_A_LIFE:
                        await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        assert not traffic.told_gone
        acknowledged = traffic.acknowledged[topic_id]
        assert all(
            traffic.read[topic_id].get(offset, value) == value for offset, value in acknowledged.items()
        )

    run(test)
