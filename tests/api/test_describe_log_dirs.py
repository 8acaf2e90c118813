"""DescribeLogDirs: sizes of what is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kstream.api import describe_log_dirs
from kstream.api.context import RequestContext
from kstream.broker import log_dirs
from kstream.broker.broker import Broker
from kstream.errors import ErrorCode
from kstream.wire.messages.describe_log_dirs import (
    DescribableLogDirTopic,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
)
from tests.api.conftest import Asker
from tests.api.data_plane import batch, opened, produced, run


async def _describe(broker: Broker, topics: dict[str, list[int]] | None = None) -> DescribeLogDirsResult:
    wanted = None
    if topics is not None:
        wanted = [DescribableLogDirTopic(topic=name, partitions=each) for name, each in topics.items()]
    context = RequestContext(broker, api_version=4)
    response = await describe_log_dirs.handle(context, DescribeLogDirsRequest(topics=wanted))
    (result,) = response.results
    return result


def _sizes(result: DescribeLogDirsResult) -> dict[tuple[str, int], int]:
    return {
        (topic.name, partition.partition_index): partition.partition_size
        for topic in result.topics
        for partition in topic.partitions
    }


def test_sizes_open_and_closed(tmp_path: Path) -> None:
    records = batch(b"a", b"b")

    async def test() -> None:
        async with opened(tmp_path, "t", "u") as broker:
            await produced(broker, records)
            result = await _describe(broker)
            assert _sizes(result) == {("t", 0): len(records), ("t", 1): 0, ("u", 0): 0, ("u", 1): 0}
            assert result.log_dir == str(tmp_path)
            assert 0 < result.usable_bytes <= result.total_bytes
        async with opened(tmp_path) as broker:
            assert _sizes(await _describe(broker)) == {
                ("t", 0): len(records),
                ("t", 1): 0,
                ("u", 0): 0,
                ("u", 1): 0,
            }
            assert broker.partitions.opened() == []

    run(test)


def test_what_is_not_there_is_passed_over(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            assert _sizes(await _describe(broker, {"t": [1, 2, -1], "nothing": [0]})) == {("t", 1): 0}
            assert _sizes(await _describe(broker, {})) == {}

    run(test)


def test_a_disk_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(broker: Broker) -> None:
        raise OSError("input/output error")

    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            monkeypatch.setattr(log_dirs, "disk_space", fail)
            result = await _describe(broker)
            assert (result.error_code, result.topics) == (ErrorCode.KAFKA_STORAGE_ERROR, [])

    run(test)


@pytest.mark.parametrize("version", range(1, 6))
def test_every_version(start: Callable[..., Asker], version: int) -> None:
    asker = start()
    asker.create("t")
    (result,) = asker.ask(DescribeLogDirsRequest(topics=None), version, DescribeLogDirsResponse).results
    assert _sizes(result) == {("t", 0): 0}
    assert (result.total_bytes > 0) == (version >= 4)
