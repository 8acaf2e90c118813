"""A fetch that waits reads again only what changed, and answers as one that never waited."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from kstream.api import delete_records, fetch
from kstream.api.context import RequestContext
from kstream.broker.broker import Broker
from kstream.testing.settling import wait_all_idle
from kstream.wire.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from kstream.wire.messages.fetch import FetchRequest, FetchResponse
from tests.api.data_plane import batch, bytes_of, delete, fetch_request, fetched, opened, produced, run

_PARTITIONS = 4
_WAIT_MS = 60_000
READ_COMMITTED = 1


async def _append(broker: Broker, index: int) -> None:
    await produced(broker, batch(b"x" * 20), partition=index)


async def _delete_records(broker: Broker, index: int) -> None:
    wanted = DeleteRecordsPartition(partition_index=index, offset=-1)
    request = DeleteRecordsRequest(topics=[DeleteRecordsTopic(name="t", partitions=[wanted])])
    await delete_records.handle(RequestContext(broker, api_version=2), request)


async def _begin_epoch(broker: Broker, index: int) -> None:
    partition = await broker.partitions.get("t", index)
    partition.begin_epoch(partition.leader_epoch + 1)


Action = Callable[[Broker, int], Awaitable[None]]
_ACTIONS: list[Action] = [_append, _append, _delete_records, _begin_epoch]


def _said(response: FetchResponse) -> list[object]:
    return [
        (
            data.partition_index,
            data.error_code,
            data.high_watermark,
            data.last_stable_offset,
            data.log_start_offset,
            bytes_of(data),
        )
        for topic in response.responses
        for data in topic.partitions
    ]


def _request(
    offsets: list[int], isolation_level: int, *, max_wait_ms: int, session: tuple[int, int] = (0, -1)
) -> FetchRequest:
    request = fetch_request(
        partitions=tuple(range(_PARTITIONS)), max_wait_ms=max_wait_ms, min_bytes=1 << 20, session=session
    )
    request.isolation_level = isolation_level
    for wanted, offset in zip(request.topics[0].partitions, offsets, strict=True):
        wanted.fetch_offset = offset
    return request


@settings(max_examples=60)
@given(
    before=st.lists(st.integers(0, 3), min_size=_PARTITIONS, max_size=_PARTITIONS),
    back=st.lists(st.booleans(), min_size=_PARTITIONS, max_size=_PARTITIONS),
    steps=st.lists(st.tuples(st.sampled_from(_ACTIONS), st.integers(0, _PARTITIONS - 1)), max_size=8),
    ends_deleted=st.booleans(),
    isolation_level=st.sampled_from([0, READ_COMMITTED]),
    epoch=st.sampled_from([-1, 0]),
)
def test_what_waited_answers_as_what_never_waited(
    before: list[int],
    back: list[bool],
    steps: list[tuple[Action, int]],
    ends_deleted: bool,
    isolation_level: int,
    epoch: int,
) -> None:
    """Read committed, every append wakes it: it looks again at some partitions and keeps what it knows of the
    others. In the end both must say the same.
    """

    async def test() -> None:
        with tempfile.TemporaryDirectory() as directory:
            async with opened(Path(directory)) as broker:
                await broker.create_missing_topics([("t", _PARTITIONS)])
                for index, count in enumerate(before):
                    for _ in range(count):
                        await _append(broker, index)
                # At the end, or one behind: then there is something to read from the beginning.
                offsets = [count - (back[index] and count > 0) for index, count in enumerate(before)]
                answers: list[FetchResponse] = []

                async def wait() -> None:
                    request = _request(offsets, isolation_level, max_wait_ms=_WAIT_MS, session=(0, epoch))
                    answers.append(await fetched(broker, request))

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(wait)
                    await trio.sleep(1)
                    for action, index in steps:
                        if answers:
                            break
                        await action(broker, index)
                        await trio.sleep(1)
                    if ends_deleted and not answers:
                        await delete(broker, "t")
                        await trio.sleep(1)
                        assert answers
                    at_once = await fetched(broker, _request(offsets, isolation_level, max_wait_ms=0))
                assert _said(answers[0]) == _said(at_once)

    run(test, virtual_time=True)


@pytest.mark.parametrize("epoch", [-1, 0])
def test_a_wake_reads_only_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    read: list[int] = []
    reading = fetch._read

    async def noting(wanted: fetch.Reading, *arguments: object) -> None:
        read.append(wanted.wanted.index)
        await reading(wanted, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(fetch, "_read", noting)

    async def test() -> None:
        async with opened(tmp_path) as broker, trio.open_nursery() as nursery:
            await broker.create_missing_topics([("t", _PARTITIONS)])
            for index in range(_PARTITIONS):
                await broker.partitions.get("t", index)
            request = _request([0] * _PARTITIONS, READ_COMMITTED, max_wait_ms=_WAIT_MS, session=(0, epoch))
            nursery.start_soon(fetched, broker, request)
            await wait_all_idle()
            assert read == list(range(_PARTITIONS))
            for index in (2, 1):
                read.clear()
                await _append(broker, index)
                await wait_all_idle()
                # What was found before is held by nobody while the fetch waits: it is found again.
                assert read == ([2] if index == 2 else [1, 2])
            nursery.cancel_scope.cancel()

    run(test)
