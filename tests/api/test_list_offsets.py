"""ListOffsets beside appends and beside batches that do not open. Answers compared with Kafka's own stand in
tests/golden.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from kstream.api import list_offsets
from kstream.api.context import RequestContext
from kstream.broker.broker import Broker
from kstream.errors import ErrorCode
from kstream.log.partition import PartitionLog
from kstream.records.batch import ATTRIBUTES_POSITION, crc_of
from kstream.records.compression import Codec
from kstream.wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from tests.api.data_plane import NOW_MS, batch, opened, produced, run


async def listed(broker: Broker, timestamp: int) -> ListOffsetsPartitionResponse:
    wanted = ListOffsetsPartition(partition_index=0, timestamp=timestamp)
    request = ListOffsetsRequest(topics=[ListOffsetsTopic(name="t", partitions=[wanted])])
    response = await list_offsets.handle(RequestContext(broker, api_version=7), request)
    return response.topics[0].partitions[0]


def test_what_is_appended_during_the_search_can_be_what_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = PartitionLog.max_timestamp

    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            await produced(broker, batch(b"x"))
            token = trio.lowlevel.current_trio_token()

            def search_behind_an_append(log: PartitionLog) -> Any:
                trio.from_thread.run(append, broker, trio_token=token)
                return search(log)

            monkeypatch.setattr(PartitionLog, "max_timestamp", search_behind_an_append)
            found = await listed(broker, list_offsets.MAX_TIMESTAMP)
            assert (found.offset, found.timestamp) == (1, NOW_MS + 5)

    async def append(broker: Broker) -> None:
        await produced(broker, batch(b"y", timestamp_ms=NOW_MS + 5))

    run(test)


def test_a_batch_that_does_not_open_is_an_error_of_its_partition(tmp_path: Path) -> None:
    unreadable = bytearray(batch(*[b"x"] * 100))
    unreadable[ATTRIBUTES_POSITION + 1] |= Codec.GZIP
    unreadable[17:21] = crc_of(unreadable, 0, len(unreadable)).to_bytes(4, "big")

    async def test() -> None:
        async with opened(tmp_path, "t", kstream_validate_records="header") as broker:
            assert (await produced(broker, bytes(unreadable))).error_code == ErrorCode.NONE
            for timestamp in (NOW_MS, list_offsets.MAX_TIMESTAMP):
                assert (await listed(broker, timestamp)).error_code == ErrorCode.CORRUPT_MESSAGE
            assert (await listed(broker, list_offsets.LATEST)).offset == 100

    run(test)
