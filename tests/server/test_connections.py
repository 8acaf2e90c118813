"""What a connection may do, and what it cannot do to others."""

from __future__ import annotations

import logging
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio

from kstream.api import registry
from kstream.records.builder import build_batch
from kstream.wire.apis import ApiKey
from kstream.wire.headers import request_frame
from kstream.wire.messages.api_versions import ApiVersionsRequest
from kstream.wire.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
from kstream.wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from kstream.wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from kstream.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from kstream.wire.schema import Message
from tests.server.harness import correlation_id, reset, run, serving


def fetch(*, max_wait_ms: int) -> FetchRequest:
    partition = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1000)
    return FetchRequest(
        max_wait_ms=max_wait_ms, min_bytes=1, topics=[FetchTopic(topic="t", partitions=[partition])]
    )


def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as server:
            client = await server.connect()
            for number in range(0, 90, 3):
                await client.send(ApiVersionsRequest(), 0, number)
                await client.send(fetch(max_wait_ms=0), 11, number + 1)
                await client.send(MetadataRequest(), 5, number + 2)
            assert [correlation_id(await client.receive()) for _ in range(90)] == list(range(90))

    run(test)


@pytest.mark.parametrize(
    "nonsense",
    [
        struct.pack(">i", -1),
        struct.pack(">i", 101 * 1024 * 1024),
        struct.pack(">i", 3) + b"abc",
        struct.pack(">ihhih", 10, 999, 0, 1, -1),
        struct.pack(">ihhih", 10, 3, 99, 1, -1),
        struct.pack(">ihhih", 14, 3, 5, 1, -1) + b"\x7f\xff\xff\xff",
    ],
    ids=["negative length", "too long", "no header", "unknown api", "unknown version", "lying array"],
)
def test_nonsense_closes_the_connection_after_what_is_owed(tmp_path: Path, nonsense: bytes) -> None:
    async def test() -> None:
        async with serving(tmp_path) as server:
            client, other = await server.connect(), await server.connect()
            await client.send(ApiVersionsRequest(), 0, 7)
            await client.stream.send_all(nonsense)
            assert correlation_id(await client.receive()) == 7
            assert await client.receive() is None
            assert await other.is_answered()

    run(test)


@pytest.mark.parametrize("error", [ZeroDivisionError("on purpose"), OSError("on purpose")], ids=repr)
def test_a_bug_in_a_handler_closes_one_connection_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    async def broken(context: Any, request: Any) -> None:
        raise error

    registrations = dict(registry.load())
    registrations[ApiKey.METADATA] = registrations[ApiKey.METADATA]._replace(handler=broken)
    monkeypatch.setattr(registry, "load", lambda: registrations)

    async def test() -> None:
        async with serving(tmp_path) as server:
            client, other = await server.connect(), await server.connect()
            await client.send(ApiVersionsRequest(), 0, 1)
            await client.send(MetadataRequest(), 5, 2)
            assert correlation_id(await client.receive()) == 1
            assert await client.receive() is None
            assert await other.is_answered()

    with caplog.at_level(logging.ERROR):
        run(test)
    assert f"{type(error).__name__}: on purpose" in caplog.text


def test_idle_and_half_sent_connections_are_closed_and_waiting_ones_are_not(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path, connections_max_idle_ms="5000") as server:
            idle, half, waiting = [await server.connect() for _ in range(3)]
            await half.stream.send_all(struct.pack(">i", 100) + b"x")
            await waiting.send(fetch(max_wait_ms=30_000), 11)
            started_s = trio.current_time()
            assert await idle.receive() is None
            assert await half.receive() is None
            assert trio.current_time() - started_s < 10
            assert await waiting.receive() is not None
            assert trio.current_time() - started_s >= 30

    run(test, virtual_time=True)


def test_who_leaves_a_waiting_request_behind_is_closed(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path, connections_max_idle_ms="5000", max_connections="1") as server:
            leaving = await server.connect()
            await leaving.send(fetch(max_wait_ms=1_000_000), 11)
            await trio.sleep(1)
            await leaving.stream.aclose()
            other = await server.connect()
            with trio.fail_after(20):
                assert await other.is_answered()

    run(test, virtual_time=True)


def test_who_does_not_take_what_is_owed_before_nonsense_is_closed(tmp_path: Path) -> None:
    names = [MetadataRequestTopic(name=f"{number:0>250}") for number in range(20_000)]
    lying_produce = struct.pack(">ihhih", 14, 0, 5, 1, -1) + b"\x7f\xff\xff\xff"

    async def test() -> None:
        async with serving(tmp_path, connections_max_idle_ms="5000", max_connections="1") as server:
            stuck = await server.connect()
            metadata = request_frame(MetadataRequest(topics=names, allow_auto_topic_creation=False), 5, 1, "")
            with trio.fail_after(60):
                await stuck.stream.send_all(metadata + lying_produce)
                other = await server.connect()
                assert await other.is_answered()

    run(test, virtual_time=True)


def test_one_byte_at_a_time_does_not_keep_a_connection_alive(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path, connections_max_idle_ms="5000") as server:
            client = await server.connect()
            await client.stream.send_all(struct.pack(">i", 1000))
            sent = 0
            with trio.move_on_after(1000), suppress(trio.BrokenResourceError):
                while True:
                    await client.stream.send_all(b"x")
                    await trio.sleep(1)
                    sent += 1
            assert 4 <= sent <= 12

    run(test, virtual_time=True)


def test_who_does_not_take_an_answer_is_closed(tmp_path: Path) -> None:
    asked = 100

    async def test() -> None:
        async with serving(tmp_path, connections_max_idle_ms="5000") as server:
            stuck = await server.connect()
            large = bytes(build_batch([(1_700_000_000_000, None, bytes(900_000))]))
            data = TopicProduceData(name="t", partition_data=[PartitionProduceData(index=0, records=large)])
            await stuck.send(ProduceRequest(acks=1, topic_data=[data]), 9)
            assert await stuck.receive() is not None
            for _ in range(asked):
                await stuck.send(fetch(max_wait_ms=0), 11)
            await trio.sleep(20)
            answered = 0
            while await stuck.receive() is not None:
                answered += 1
            assert answered < asked
            other = await server.connect()
            assert await other.is_answered()

    run(test, virtual_time=True, leap_s=0.1)


def test_connections_of_one_address_are_limited(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path, max_connections_per_ip="2") as server:
            first, second = await server.connect(), await server.connect()
            assert await first.is_answered()
            assert await second.is_answered()
            third = await server.connect()
            assert await third.receive() is None
            await first.stream.aclose()
            while not await (fourth := await server.connect()).is_answered():
                await fourth.stream.aclose()
            assert await second.is_answered()

    run(test)


def test_at_the_limit_new_connections_wait_for_a_place(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path, max_connections="1") as server:
            first = await server.connect()
            assert await first.is_answered()
            second = await server.connect()
            await second.send(ApiVersionsRequest(), 0)
            with trio.move_on_after(1) as waited:
                await second.receive()
            assert waited.cancelled_caught
            await first.stream.aclose()
            assert await second.receive() is not None

    run(test, virtual_time=True)


def test_connections_leave_descriptors_for_the_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (132, 132))  # half of them, without the 64 kept: 2

    async def test() -> None:
        async with serving(tmp_path) as server:
            first, second, third = [await server.connect() for _ in range(3)]
            assert await first.is_answered()
            assert await second.is_answered()
            await third.send(ApiVersionsRequest(), 0)
            with trio.move_on_after(1) as waited:
                await third.receive()
            assert waited.cancelled_caught
            await first.stream.aclose()
            assert await third.receive() is not None

    run(test, virtual_time=True)


@pytest.mark.parametrize("api", ["produce", "fetch", "list offsets"])
def test_one_large_request_lets_others_have_their_turn(tmp_path: Path, api: str) -> None:
    count = 20_000
    wanted: tuple[Message, int] = {
        "produce": (
            ProduceRequest(
                acks=1,
                topic_data=[
                    TopicProduceData(
                        name="no", partition_data=[PartitionProduceData(index=n) for n in range(count)]
                    )
                ],
            ),
            9,
        ),
        "fetch": (
            FetchRequest(
                topics=[
                    FetchTopic(topic="no", partitions=[FetchPartition(partition=n) for n in range(count)])
                ]
            ),
            11,
        ),
        "list offsets": (
            ListOffsetsRequest(
                topics=[
                    ListOffsetsTopic(
                        name="no",
                        partitions=[ListOffsetsPartition(partition_index=n) for n in range(count)],
                    )
                ]
            ),
            5,
        ),
    }[api]

    async def test() -> None:
        async with serving(tmp_path) as server:
            large, other = await server.connect(), await server.connect()
            answered = 0

            async def ask() -> None:
                await large.send(*wanted)
                assert await large.receive() is not None
                nursery.cancel_scope.cancel()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                while True:
                    assert await other.is_answered()
                    answered += 1
            assert answered > 20

    run(test)


def test_a_busy_connection_does_not_starve_the_others(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as server:
            busy, other = await server.connect(), await server.connect()
            answered = 0

            async def flood() -> None:
                for number in range(20_000):
                    await busy.send(ApiVersionsRequest(), 0, number)

            async def drain() -> None:
                nonlocal answered
                for _ in range(20_000):
                    await busy.receive()
                    answered += 1

            async with trio.open_nursery() as nursery:
                nursery.start_soon(flood)
                nursery.start_soon(drain)
                while answered < 100:
                    await trio.lowlevel.checkpoint()
                assert await other.is_answered()
                assert answered < 19_000

    run(test)


def test_who_has_waited_gives_no_turn_away(tmp_path: Path) -> None:
    """One request a second: others have their turn anyhow, so an answer is one step of the event loop."""

    class Steps(trio.abc.Instrument):
        count = 0

        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            self.count += "Connections._serve" in task.name

    async def test() -> None:
        async with serving(tmp_path) as served:
            client = await served.connect()
            assert await client.is_answered()
            steps = Steps()
            trio.lowlevel.add_instrument(steps)
            for _ in range(5):
                await trio.sleep(1)
                assert await client.is_answered()
            await trio.sleep(1)
            trio.lowlevel.remove_instrument(steps)
            assert steps.count == 5

    run(test, virtual_time=True)


def test_half_closed_and_reset_connections(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as server:
            half, gone, other = [await server.connect() for _ in range(3)]
            for number in range(50):
                await half.send(ApiVersionsRequest(), 0, number)
            await half.stream.send_eof()
            assert [correlation_id(await half.receive()) for _ in range(50)] == list(range(50))
            assert await half.receive() is None
            await gone.send(fetch(max_wait_ms=60_000), 11)
            reset(gone)
            assert await other.is_answered()

    run(test)


def test_a_stop_answers_what_is_in_progress(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as server:
            client = await server.connect()
            answer = await client.ask(fetch(max_wait_ms=0), 11, FetchResponse)
            assert isinstance(answer, FetchResponse)
            waiting = await server.connect()
            await waiting.send(fetch(max_wait_ms=2**31 - 1), 11)
            await server.stop()
            assert await client.receive() is None
            assert await waiting.receive() is None

    async def bounded() -> None:
        with trio.fail_after(60):
            await test()

    run(bounded)
