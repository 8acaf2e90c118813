"""A heartbeat that repeats is answered as one that is decoded, and renews the session as that does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import trio

from kstream.api import registry
from kstream.api.context import RequestContext
from kstream.broker.broker import Broker
from kstream.broker.metadata.client_quotas import EntityChange, QuotaChange, alter_client_quotas
from kstream.errors import ErrorCode
from kstream.groups.settings import Caller
from kstream.server.dispatch import Dispatcher
from kstream.testing.settling import wait_all_idle
from kstream.wire.apis import ApiKey
from kstream.wire.codec import decode
from kstream.wire.headers import request_frame
from kstream.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from kstream.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from kstream.wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from kstream.wire.messages.leave_group import LeaveGroupRequest
from kstream.wire.messages.sync_group import SyncGroupRequest
from tests.api.data_plane import opened, run

GROUP = "group"
SESSION_MS = 10_000
CONSUMER_SESSION_S = 45
VERSION = 4
CALLER = Caller("client", "/127.0.0.1", 2)


@asynccontextmanager
async def coordinating(data_dir: Path, *topics: str) -> AsyncIterator[Broker]:
    settings = {"group_consumer_assignment_interval_ms": "0"}
    async with opened(data_dir, *topics, **settings) as broker, trio.open_nursery() as nursery:
        await broker.groups.ensure_topic()
        nursery.start_soon(broker.groups.run_forever)
        yield broker
        nursery.cancel_scope.cancel()


async def join(broker: Broker, member_id: str = "") -> JoinGroupResponse:
    return await broker.groups.join(
        JoinGroupRequest(
            group_id=GROUP,
            member_id=member_id,
            session_timeout_ms=SESSION_MS,
            rebalance_timeout_ms=SESSION_MS,
            protocol_type="consumer",
            protocols=[JoinGroupRequestProtocol(name="range", metadata=b"")],
        ),
        CALLER,
    )


class Member:
    """A connection with the only member of a stable group."""

    def __init__(self, broker: Broker, joined: JoinGroupResponse) -> None:
        self.member_id = joined.member_id
        self.generation = joined.generation_id
        self.context = RequestContext(broker)
        self._dispatcher = Dispatcher(registry.load())
        self._sent = 0

    @classmethod
    async def joined(cls, broker: Broker) -> Member:
        member = cls(broker, await join(broker))
        request = SyncGroupRequest(
            group_id=GROUP, generation_id=member.generation, member_id=member.member_id
        )
        assert (await broker.groups.sync(request, CALLER)).error_code == 0
        return member

    async def beat(self, *, group: str = GROUP, version: int = VERSION) -> int:
        """The error that a heartbeat is answered with."""
        self._sent += 1
        request = HeartbeatRequest(group_id=group, generation_id=self.generation, member_id=self.member_id)
        frame = request_frame(request, version, self._sent, "client")
        parts = await self._dispatcher.answer(memoryview(frame)[4:], self.context)
        answer = b"".join(cast("list[bytes]", parts))
        assert int.from_bytes(answer[:4], "big") == len(answer) - 4
        assert int.from_bytes(answer[4:8], "big") == self._sent
        header_size = 9 if version == VERSION else 8
        response = decode(HeartbeatResponse, answer, version, offset=header_size)
        return int(response.error_code)


def test_it_is_known_by_all_that_it_says(tmp_path: Path) -> None:
    async def test() -> None:
        async with coordinating(tmp_path) as broker:
            member = await Member.joined(broker)
            assert member.context.beat is None
            assert await member.beat() == 0
            known = member.context.beat
            assert known is not None
            assert [await member.beat() for _ in range(3)] == [0, 0, 0]
            assert member.context.beat is known, "it was decoded again"
            assert member.context.stats is broker.stats.of(ApiKey.HEARTBEAT, VERSION)
            assert await member.beat(version=3) == 0
            assert await member.beat(group="another") == ErrorCode.UNKNOWN_MEMBER_ID
            member.generation += 1
            assert await member.beat() == ErrorCode.ILLEGAL_GENERATION

    run(test)


def test_it_is_decoded_and_measured_where_there_are_quotas(tmp_path: Path) -> None:
    async def test() -> None:
        async with coordinating(tmp_path) as broker:
            member = await Member.joined(broker)
            assert await member.beat() == 0
            assert member.context.beat is not None

            def unused(*_: object) -> None:
                raise AssertionError("nothing measured it")

            member.context.beat = unused
            change = EntityChange((("client-id", "client"),), [QuotaChange("request_percentage", 50.0)])
            await broker.metadata.update(lambda image: alter_client_quotas(image, [change]))
            assert await member.beat() == 0

    run(test)


def test_it_renews_the_session(tmp_path: Path) -> None:
    async def test() -> None:
        async with coordinating(tmp_path) as broker:
            member = await Member.joined(broker)
            for _ in range(5):
                assert await member.beat() == 0
                await trio.sleep(SESSION_MS / 1000 - 1)
            assert await member.beat() == 0
            await trio.sleep(SESSION_MS / 1000 + 1)
            assert await member.beat() == ErrorCode.UNKNOWN_MEMBER_ID

    run(test, virtual_time=True)


def test_it_hears_of_a_rebalance_and_of_its_end(tmp_path: Path) -> None:
    async def test() -> None:
        async with coordinating(tmp_path) as broker:
            member = await Member.joined(broker)
            assert await member.beat() == 0
            async with trio.open_nursery() as nursery:
                nursery.start_soon(join, broker)
                await wait_all_idle()
                assert await member.beat() == ErrorCode.REBALANCE_IN_PROGRESS
                nursery.start_soon(join, broker, member.member_id)
            assert await member.beat() == ErrorCode.ILLEGAL_GENERATION

    run(test)


def test_it_hears_that_it_has_left(tmp_path: Path) -> None:
    async def test() -> None:
        async with coordinating(tmp_path) as broker:
            member = await Member.joined(broker)
            assert await member.beat() == 0
            await broker.groups.leave(LeaveGroupRequest(group_id=GROUP, member_id=member.member_id), CALLER)
            assert await member.beat() == ErrorCode.UNKNOWN_MEMBER_ID

    run(test)


class Consumer:
    """A connection with a member of a KIP-848 group."""

    def __init__(self, broker: Broker, name: str) -> None:
        self.context = RequestContext(broker)
        self._dispatcher = Dispatcher(registry.load())
        self._name = name
        self.epoch = 0

    async def ask(self, **said: Any) -> ConsumerGroupHeartbeatResponse:
        request = ConsumerGroupHeartbeatRequest(
            group_id=GROUP, member_id=self._name, member_epoch=self.epoch, **said
        )
        frame = request_frame(request, 1, 7, "client")
        parts = await self._dispatcher.answer(memoryview(frame)[4:], self.context)
        answer = b"".join(cast("list[bytes]", parts))
        assert int.from_bytes(answer[4:8], "big") == 7
        response = decode(ConsumerGroupHeartbeatResponse, answer, 1, offset=9)
        if response.error_code == 0:
            self.epoch = response.member_epoch
        return response

    async def join(self) -> ConsumerGroupHeartbeatResponse:
        return await self.ask(rebalance_timeout_ms=10_000, subscribed_topic_names=["t"], topic_partitions=[])


def shares(response: ConsumerGroupHeartbeatResponse) -> int | None:
    """How many partitions an answer gives; None if it says nothing of them."""
    if response.assignment is None:
        return None
    return sum(len(topic.partitions) for topic in response.assignment.topic_partitions)


def test_members_of_kip_848_repeat_themselves_too(tmp_path: Path) -> None:
    async def test() -> None:
        async with coordinating(tmp_path, "t") as broker:
            first, second = Consumer(broker, "first"), Consumer(broker, "second")
            assert shares(await first.join()) == 2
            assert first.context.beat is None
            answers = [await first.ask() for _ in range(2)]
            known = first.context.beat
            assert known is not None
            answers += [await first.ask() for _ in range(3)]
            assert first.context.beat is known, "it was decoded again"
            assert all(answer == answers[0] for answer in answers)
            assert shares(answers[0]) is None

            await second.join()
            assert shares(await first.ask()) == 1
            assert (await first.ask(topic_partitions=[])).error_code == 0
            assert (await second.ask()).error_code == 0

            left = ConsumerGroupHeartbeatRequest(group_id=GROUP, member_id="first", member_epoch=-1)
            await broker.groups.consumer_heartbeat(left, CALLER)
            assert (await first.ask()).error_code == ErrorCode.UNKNOWN_MEMBER_ID

    run(test, virtual_time=True)


def test_it_renews_the_session_of_a_member_of_kip_848(tmp_path: Path) -> None:
    async def test() -> None:
        async with coordinating(tmp_path, "t") as broker:
            member = Consumer(broker, "member")
            await member.join()
            for _ in range(5):
                assert (await member.ask()).error_code == 0
                await trio.sleep(CONSUMER_SESSION_S - 1)
            assert (await member.ask()).error_code == 0
            await trio.sleep(CONSUMER_SESSION_S + 1)
            assert (await member.ask()).error_code == ErrorCode.UNKNOWN_MEMBER_ID

    run(test, virtual_time=True)
