"""DescribeProducers: what a partition remembers of its producers."""

from __future__ import annotations

from pathlib import Path

from kstream.api import describe_producers
from kstream.api.context import RequestContext
from kstream.broker.broker import Broker
from kstream.errors import ErrorCode
from kstream.records.batch import read_header
from kstream.wire.messages.describe_producers import (
    DescribeProducersRequest,
    PartitionResponse,
    TopicRequest,
)
from tests.api.data_plane import NOW_MS, batch, opened, produced, run


async def _describe(broker: Broker, topic: str, *partitions: int) -> list[PartitionResponse]:
    request = DescribeProducersRequest(topics=[TopicRequest(name=topic, partition_indexes=list(partitions))])
    response = await describe_producers.handle(RequestContext(broker), request)
    assert [each.name for each in response.topics] == [topic]
    return response.topics[0].partitions


def test_producers_of_a_partition(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            await produced(broker, batch(b"x"))
            await produced(broker, batch(b"a", b"b", producer_id=7, producer_epoch=3, base_sequence=0))
            in_transaction = batch(
                b"c", producer_id=8, producer_epoch=0, base_sequence=0, is_transactional=True
            )
            partition = await broker.partitions.get("t", 0)
            await partition.append(in_transaction, [read_header(in_transaction)], now_ms=NOW_MS)
            written, empty = await _describe(broker, "t", 0, 1)
            assert [
                (
                    each.producer_id,
                    each.producer_epoch,
                    each.last_sequence,
                    each.last_timestamp,
                    each.coordinator_epoch,
                    each.current_txn_start_offset,
                )
                for each in written.active_producers
            ] == [(7, 3, 1, NOW_MS, -1, -1), (8, 0, 0, NOW_MS, -1, 3)]
            assert (empty.error_code, empty.active_producers) == (0, [])

    run(test)


def test_partitions_that_are_not_there(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            (out_of_range,) = await _describe(broker, "t", 2)
            assert out_of_range.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            assert out_of_range.error_message is None
            (unknown,) = await _describe(broker, "nothing", 0)
            assert unknown.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            assert unknown.error_message
            (invalid,) = await _describe(broker, "a b", 0)
            assert invalid.error_code == ErrorCode.INVALID_TOPIC_EXCEPTION

    run(test)
