"""Clients above their quotas: what they are told, and that they are not listened to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest
import trio

from kstream.records.builder import build_batch
from kstream.server.cpu_time import Timed
from kstream.wire.apis import ApiKey, api
from kstream.wire.codec import encode
from kstream.wire.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasRequestEntryData,
    AlterClientQuotasResponse,
    EntityData,
    OpData,
)
from kstream.wire.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
from kstream.wire.messages.metadata import MetadataRequest, MetadataResponse
from kstream.wire.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from tests.server.harness import RawClient, Served, run, serving

RECORDS = build_batch([(0, b"k", b"v" * 10_000)])


async def _limit(client: RawClient, **values: float) -> None:
    """Quotas for the harness's clients; 0 removes one."""
    entry = AlterClientQuotasRequestEntryData(
        entity=[EntityData(entity_type="client-id", entity_name="test")],
        ops=[OpData(key=key, value=value, remove=not value) for key, value in values.items()],
    )
    answer = await client.ask(AlterClientQuotasRequest(entries=[entry]), 1, AlterClientQuotasResponse)
    assert isinstance(answer, AlterClientQuotasResponse)
    assert [each.error_code for each in answer.entries] == [0]


def _produce(acks: int = 1) -> ProduceRequest:
    partition = PartitionProduceData(index=0, records=RECORDS)
    return ProduceRequest(acks=acks, topic_data=[TopicProduceData(name="t", partition_data=[partition])])


async def _produced(client: RawClient) -> int:
    """The time to wait that the answer says."""
    answer = cast("ProduceResponse", await client.ask(_produce(), 9, ProduceResponse))
    assert answer.responses[0].partition_responses[0].error_code == 0
    return answer.throttle_time_ms


def _test(tmp_path: Path, body: Callable[[Served], Awaitable[None]]) -> None:
    async def test() -> None:
        async with serving(tmp_path) as server:
            await body(server)

    run(test, virtual_time=True, leap_s=0.1)


def test_a_producer_above_its_quota_waits(tmp_path: Path) -> None:
    async def body(server: Served) -> None:
        client = await server.connect()
        await _limit(client, producer_byte_rate=2000)
        assert await _produced(client) == 0
        # The broker's clock stands still: 20,200 bytes are 200 above what ten seconds allow.
        throttle_ms = await _produced(client)
        assert 0 < throttle_ms < 1000
        started_s = trio.current_time()
        assert await client.is_answered()
        assert trio.current_time() - started_s >= throttle_ms / 1000
        other = await server.connect()
        started_s = trio.current_time()
        assert await other.is_answered()
        assert trio.current_time() - started_s < throttle_ms / 1000

    _test(tmp_path, body)


def test_a_producer_that_repeats_itself_is_measured_once_it_has_a_quota(tmp_path: Path) -> None:
    async def body(server: Served) -> None:
        client = await server.connect()
        for _ in range(3):
            assert await _produced(client) == 0
        await _limit(client, producer_byte_rate=2000)
        # Counted from here on alone, as above.
        assert [await _produced(client) for _ in range(2)] == [0, pytest.approx(500, abs=499)]

    _test(tmp_path, body)


def test_a_producer_that_wants_no_answer_is_muted_too(tmp_path: Path) -> None:
    async def body(server: Served) -> None:
        client = await server.connect()
        await _limit(client, producer_byte_rate=100)
        await client.send(_produce(acks=0), 9)
        started_s = trio.current_time()
        assert await client.is_answered()
        assert trio.current_time() - started_s > 80

    _test(tmp_path, body)


def test_a_fetch_above_its_quota_brings_no_records(tmp_path: Path) -> None:
    async def body(server: Served) -> None:
        client = await server.connect()
        for _ in range(3):
            await _produced(client)
        await _limit(client, consumer_byte_rate=2000)
        assert await _fetched(client) == (15_000, False)
        size_bytes, is_throttled = await _fetched(client)
        assert (size_bytes, is_throttled) == (0, True)

    _test(tmp_path, body)


def test_one_fetch_gets_what_ten_seconds_allow(tmp_path: Path) -> None:
    async def body(server: Served) -> None:
        client = await server.connect()
        for _ in range(3):
            await _produced(client)
        await _limit(client, consumer_byte_rate=2000)
        size_bytes, _ = await _fetched(client, max_bytes=1 << 20)
        assert size_bytes in (0, 20_000)
        await _limit(client, consumer_byte_rate=0)
        assert await _fetched(client, max_bytes=1 << 20) == (3 * len(RECORDS), False)

    _test(tmp_path, body)


async def _fetched(client: RawClient, max_bytes: int = 15_000) -> tuple[int, bool]:
    """How many bytes of records came, and whether the client was told to wait."""
    partition = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1 << 20)
    request = FetchRequest(
        max_wait_ms=0,
        min_bytes=1,
        max_bytes=max_bytes,
        topics=[FetchTopic(topic="t", partitions=[partition])],
    )
    answer = cast("FetchResponse", await client.ask(request, 12, FetchResponse))
    records = [each.records or b"" for topic in answer.responses for each in topic.partitions]
    return sum(map(len, records)), answer.throttle_time_ms > 0


def test_time_is_limited_for_every_api(tmp_path: Path) -> None:
    async def body(server: Served) -> None:
        client = await server.connect()
        await _limit(client, request_percentage=1e-9)
        answer = cast("MetadataResponse", await client.ask(MetadataRequest(), 9, MetadataResponse))
        assert answer.throttle_time_ms == 1000
        started_s = trio.current_time()
        await _limit(client, request_percentage=0)
        assert trio.current_time() - started_s >= 1

    _test(tmp_path, body)


@pytest.mark.parametrize("key", list(ApiKey))
def test_every_answer_can_say_how_long_to_wait(key: ApiKey) -> None:
    declared = api(key)
    for version in range(declared.versions_min, declared.versions_max + 1):
        response = declared.response()
        plain = encode(response, version)
        if hasattr(response, "throttle_time_ms"):
            response.throttle_time_ms = 1000
            assert len(encode(response, version)) == len(plain)


def test_only_a_coroutines_own_steps_are_timed() -> None:
    async def work() -> str:
        await trio.sleep(100)
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            return "cancelled"

    async def test() -> None:
        timed = Timed(work())
        with trio.move_on_after(200):
            assert await timed == "cancelled"
        assert 0 < timed.elapsed_ns < 1_000_000_000
        failing = Timed(_fail())
        with pytest.raises(ValueError, match="broken"):
            await failing
        assert failing.elapsed_ns > 0

    run(test, virtual_time=True)


async def _fail() -> None:
    await trio.lowlevel.checkpoint()
    raise ValueError("broken")
