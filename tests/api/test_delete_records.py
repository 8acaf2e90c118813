"""DeleteRecords: the log's start moves, for good."""

from __future__ import annotations

from pathlib import Path

import pytest

from compat.kstream_server import KstreamServer
from kstream.api import delete_records
from kstream.api.context import RequestContext
from kstream.broker.broker import Broker
from kstream.errors import ErrorCode
from kstream.testing.client import WireClient
from kstream.wire.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from tests.api.data_plane import batch, create, fetch_request, fetched, only, opened, produced, run
from tests.requests import create_topic, offset_of, produce, values_batch

HIGH_WATERMARK = -1
EARLIEST = -2


def _request(offset: int, topic: str, *partitions: int) -> DeleteRecordsRequest:
    wanted = [DeleteRecordsPartition(partition_index=index, offset=offset) for index in partitions]
    return DeleteRecordsRequest(topics=[DeleteRecordsTopic(name=topic, partitions=wanted)], timeout_ms=1000)


async def _delete(broker: Broker, offset: int, topic: str = "t", index: int = 0) -> tuple[int, int]:
    """Error code and low watermark."""
    response = await delete_records.handle(
        RequestContext(broker, api_version=2), _request(offset, topic, index)
    )
    result: DeleteRecordsPartitionResult = response.topics[0].partitions[0]
    return result.error_code, result.low_watermark


def test_what_is_deleted_cannot_be_read(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            await produced(broker, batch(b"a", b"b", b"c"))
            assert await _delete(broker, 2) == (0, 2)
            assert await _delete(broker, 1) == (0, 2)
            gone = only(await fetched(broker, fetch_request(1)))
            assert gone.error_code == ErrorCode.OFFSET_OUT_OF_RANGE
            left = only(await fetched(broker, fetch_request(2)))
            assert (left.error_code, left.log_start_offset, left.high_watermark) == (0, 2, 3)
            assert await _delete(broker, HIGH_WATERMARK) == (0, 3)
            assert (await produced(broker, batch(b"d"))).base_offset == 3
            assert only(await fetched(broker, fetch_request(3))).error_code == 0

    run(test)


@pytest.mark.parametrize(
    ("offset", "code"),
    [(4, ErrorCode.OFFSET_OUT_OF_RANGE), (2**63 - 1, ErrorCode.OFFSET_OUT_OF_RANGE), (-2, 1)],
)
def test_offsets_that_are_not_there(tmp_path: Path, offset: int, code: int) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            await produced(broker, batch(b"a", b"b", b"c"))
            assert await _delete(broker, offset) == (code, -1)

    run(test)


def test_partitions_that_may_not_be_touched(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t", "__consumer_offsets") as broker:
            await create(broker, "compacted", cleanup_policy="compact")
            await create(broker, "both", cleanup_policy="compact,delete")
            assert await _delete(broker, 0, "compacted") == (ErrorCode.POLICY_VIOLATION, -1)
            assert await _delete(broker, 0, "both") == (0, 0)
            assert await _delete(broker, 0, "__consumer_offsets") == (ErrorCode.INVALID_TOPIC_EXCEPTION, -1)
            assert await _delete(broker, 0, "nothing") == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1)
            assert await _delete(broker, 0, "t", 2) == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1)

    run(test)


def test_a_start_that_cannot_be_written_down_is_not_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OSError("the disk is full")

    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            await produced(broker, batch(b"a"))
            with monkeypatch.context() as patch:
                patch.setattr(broker.directory, "write_log_starts", fail)
                assert await _delete(broker, 1) == (ErrorCode.KAFKA_STORAGE_ERROR, -1)

    run(test)


@pytest.mark.parametrize("stop", ["clean", "kill"])
def test_the_start_survives(stop: str) -> None:
    with KstreamServer() as server:
        with WireClient(*server.address) as client:
            assert create_topic(client, "t").error_code == 0
            for _ in range(3):
                assert produce(client, "t", values_batch([b"a", b"b"])).error_code == 0
            answer = client.request(_request(3, "t", 0), 2)
            assert answer.topics[0].partitions[0].low_watermark == 3
        if stop == "kill":
            server.kill()
        else:
            server.stop()
        server.start()
        with WireClient(*server.address) as client:
            assert offset_of(client, "t", EARLIEST) == 3
            assert produce(client, "t", values_batch([b"g"])).base_offset == 6
