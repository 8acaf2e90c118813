"""The group coordinator of a broker: loading, waiting, writing, timers, and a disk that refuses."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from kstream.broker.broker import Broker
from kstream.broker.coordinator_loading import load_shard
from kstream.broker.metadata.create_topics import NewTopic, create_topics
from kstream.broker.metadata.delete_topics import TopicKey, delete_topics
from kstream.broker.metadata.image import OFFSETS_TOPIC
from kstream.clock import ManualClock
from kstream.config.broker import BrokerConfig
from kstream.coordinator.hashing import partition_for
from kstream.errors import ApiError, ErrorCode
from kstream.groups.commit import WantedTopic
from kstream.groups.settings import Caller
from kstream.log.errors import LogStorageError
from kstream.log.partition import PartitionLog
from kstream.testing.settling import wait_all_idle
from kstream.wire.messages.heartbeat import HeartbeatRequest
from kstream.wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from kstream.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kstream.wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from tests.virtual_time import run_in_virtual_time

SESSION_MS = 6_000
CALLER = Caller("client", "/127.0.0.1", 3)
Test = Callable[[Broker], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., None]:
    """Runs a coroutine function on a broker of this test's directory, in time that leaps when all wait."""

    async def with_broker(test: Test, settings: dict[str, str]) -> None:
        config = BrokerConfig({"offsets.topic.num.partitions": "3"} | settings)
        broker = Broker.open(tmp_path / "data", config, ManualClock())
        try:
            await broker.groups.ensure_topic()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(broker.groups.run_forever)
                await test(broker)
                nursery.cancel_scope.cancel()
        finally:
            broker.close()

    def run_one(test: Test, **settings: str) -> None:
        static = {key.replace("_", "."): value for key, value in settings.items()}
        run_in_virtual_time(partial(with_broker, test, static))

    return run_one


def joining(group: str, member_id: str = "") -> JoinGroupRequest:
    return JoinGroupRequest(
        group_id=group,
        session_timeout_ms=SESSION_MS,
        rebalance_timeout_ms=SESSION_MS,
        member_id=member_id,
        protocol_type="consumer",
        protocols=[JoinGroupRequestProtocol(name="range")],
    )


async def join(broker: Broker, group: str = "group") -> JoinGroupResponse:
    """One new member, alone in its group, with everything assigned."""
    joined = await broker.groups.join(joining(group), CALLER)
    assert joined.error_code == 0
    share = SyncGroupRequestAssignment(member_id=joined.member_id, assignment=b"all")
    request = SyncGroupRequest(
        group_id=group, generation_id=joined.generation_id, member_id=joined.member_id, assignments=[share]
    )
    synced = await broker.groups.sync(request, CALLER)
    assert (synced.error_code, synced.assignment) == (0, b"all")
    return joined


def beating(joined: JoinGroupResponse, group: str = "group") -> HeartbeatRequest:
    return HeartbeatRequest(group_id=group, generation_id=joined.generation_id, member_id=joined.member_id)


async def commit(broker: Broker, group: str, offset: int, topic: str = "topic") -> None:
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
    wanted = OffsetCommitRequestTopic(name=topic, partitions=[partition])
    answer = await broker.groups.commit(OffsetCommitRequest(group_id=group, topics=[wanted]), CALLER)
    assert answer.topics[0].partitions[0].error_code == 0


async def position(broker: Broker, group: str, topic: str = "topic") -> int:
    wanted = [WantedTopic(topic, bytes(16), [0])]
    found = await broker.groups.fetch(group, wanted, require_stable=False)
    return found.topics[0].partitions[0].committed_offset


async def position_once_loaded(broker: Broker, group: str) -> int:
    """As a client does: ask again while the answer is to come back later."""
    while True:
        try:
            return await position(broker, group)
        except ApiError as error:
            if error.code is not ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
                raise
            await trio.sleep(0.1)


async def code_of(operation: Awaitable[Any]) -> ErrorCode:
    with pytest.raises(ApiError) as refused:
        await operation
    return refused.value.code


def groups_at(index: int, count: int) -> list[str]:
    """Names of groups that one of three partitions coordinates."""
    names = (f"group-{number}" for number in range(1000))
    return [name for name in names if partition_for(name, 3) == index][:count]


def test_silent_members_go_when_their_time_is_over(run: Callable[[Test], None]) -> None:
    async def test(broker: Broker) -> None:
        joined = await join(broker)
        for _ in range(3):
            await trio.sleep(SESSION_MS / 1000 - 0.5)
            assert (await broker.groups.heartbeat(beating(joined))).error_code == 0
        await trio.sleep(SESSION_MS / 1000 + 0.5)
        answer = await broker.groups.heartbeat(beating(joined))
        assert answer.error_code == ErrorCode.UNKNOWN_MEMBER_ID

    run(test)


def test_the_initial_delay_is_configured(run: Callable[..., None]) -> None:
    async def test(broker: Broker) -> None:
        began_s = trio.current_time()
        await join(broker)
        assert trio.current_time() - began_s >= 3

    run(test, group_initial_rebalance_delay_ms="3000")


def test_groups_and_offsets_outlive_the_broker(run: Callable[[Test], None]) -> None:
    members: list[JoinGroupResponse] = []

    async def first(broker: Broker) -> None:
        members.append(await join(broker))
        for number, group in enumerate(groups_at(0, 5) + groups_at(1, 5)):
            await commit(broker, group, number)

    async def second(broker: Broker) -> None:
        await position_once_loaded(broker, "group")
        answer = await broker.groups.heartbeat(beating(members[0]))
        assert answer.error_code == 0
        for number, group in enumerate(groups_at(0, 5) + groups_at(1, 5)):
            assert await position_once_loaded(broker, group) == number
        listed = {group.group_id for group in await broker.groups.list([], [])}
        assert listed == {"group", *groups_at(0, 5), *groups_at(1, 5)}

    run(first)
    run(second)


def test_members_that_stay_away_after_a_restart_are_expired(run: Callable[[Test], None]) -> None:
    async def first(broker: Broker) -> None:
        await join(broker)

    async def second(broker: Broker) -> None:
        await trio.sleep(SESSION_MS / 1000 + 1)
        (group,) = await broker.groups.list([], [])
        assert group.group_state == "Empty"

    run(first)
    run(second)


def test_requests_during_loading_are_told_so(
    run: Callable[[Test], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def first(broker: Broker) -> None:
        await commit(broker, "group", 1)

    started, may_go_on = threading.Event(), threading.Event()

    async def second(broker: Broker) -> None:
        assert await trio.to_thread.run_sync(started.wait, 60)
        assert await code_of(position(broker, "group")) is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
        assert await code_of(broker.groups.list([], [])) is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
        may_go_on.set()
        assert await position_once_loaded(broker, "group") == 1

    def slow_load(*arguments: Any) -> int:
        started.set()
        assert may_go_on.wait(60)
        return load_shard(*arguments)

    run(first)
    monkeypatch.setattr("kstream.broker.coordinator_runtime.load_shard", slow_load)
    run(second)


def test_before_the_topic_is_there_nobody_coordinates(tmp_path: Path) -> None:
    async def test() -> None:
        broker = Broker.open(tmp_path / "data", BrokerConfig({}), ManualClock())
        try:
            assert await code_of(position(broker, "group")) is ErrorCode.NOT_COORDINATOR
            assert await broker.groups.list([], []) == []
        finally:
            broker.close()

    trio.run(test)


@pytest.mark.parametrize("group", ["", "g" * 10_001])
def test_group_ids_are_checked(run: Callable[[Test], None], group: str) -> None:
    async def test(broker: Broker) -> None:
        assert await code_of(broker.groups.join(joining(group), CALLER)) is ErrorCode.INVALID_GROUP_ID
        request = HeartbeatRequest(group_id=group)
        assert await code_of(broker.groups.heartbeat(request)) is ErrorCode.INVALID_GROUP_ID

    run(test)


def test_commits_that_come_together_are_written_together(
    run: Callable[[Test], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    appended: list[int] = []
    append = PartitionLog.append

    def counting(self: PartitionLog, buffer: Any, headers: Any, **options: Any) -> Any:
        appended.append(headers[0].record_count)
        return append(self, buffer, headers, **options)

    async def test(broker: Broker) -> None:
        groups = groups_at(2, 20)
        await commit(broker, groups[0], 0)
        appended.clear()
        async with trio.open_nursery() as nursery:
            for number, group in enumerate(groups):
                nursery.start_soon(commit, broker, group, number)
        assert sum(appended) == 20
        assert len(appended) <= 2
        assert [await position(broker, group) for group in groups] == list(range(20))

    monkeypatch.setattr(PartitionLog, "append", counting)
    run(test)


def test_a_commit_that_cannot_be_written_is_not_there(
    run: Callable[[Test], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(broker: Broker) -> None:
        (group,) = groups_at(0, 1)
        await commit(broker, group, 1)
        joined = await join(broker, group)
        async with trio.open_nursery() as nursery:
            waiting: list[ErrorCode] = []

            async def wait_to_join() -> None:
                waiting.append(await code_of(broker.groups.join(joining(group), CALLER)))

            nursery.start_soon(wait_to_join)
            await wait_all_idle()
            with monkeypatch.context() as patch:
                patch.setattr(PartitionLog, "append", refuse)
                other = groups_at(0, 2)[1]
                assert await code_of(commit(broker, other, 9)) is ErrorCode.NOT_COORDINATOR
        assert waiting == [ErrorCode.NOT_COORDINATOR]
        assert await position(broker, other) == -1
        assert await position(broker, group) == 1
        assert (await broker.groups.heartbeat(beating(joined, group))).error_code == 0

    def refuse(*arguments: Any, **options: Any) -> Any:
        raise LogStorageError("no space left")

    run(test)


def test_deleted_topics_take_their_offsets_along(run: Callable[[Test], None]) -> None:
    async def test(broker: Broker) -> None:
        await create(broker, "gone")
        await commit(broker, "group", 7, "gone")
        await commit(broker, "group", 8, "kept")
        topic_id = broker.metadata.image.topics_by_name["gone"].topic_id
        await broker.metadata.update(lambda image: delete_topics(image, [TopicKey(None, topic_id)]))
        await wait_all_idle()
        assert await position(broker, "group", "gone") == -1
        assert await position(broker, "group", "kept") == 8

    run(test)


def test_deleting_the_offsets_topic_forgets_the_groups(run: Callable[[Test], None]) -> None:
    async def test(broker: Broker) -> None:
        await commit(broker, "group", 7)
        topic_id = broker.metadata.image.topics_by_name[OFFSETS_TOPIC].topic_id
        await broker.metadata.update(lambda image: delete_topics(image, [TopicKey(None, topic_id)]))
        assert await code_of(position(broker, "group")) is ErrorCode.NOT_COORDINATOR
        await broker.groups.ensure_topic()
        assert await position(broker, "group") == -1

    run(test)


async def create(broker: Broker, name: str) -> None:
    await broker.metadata.update(lambda image: create_topics(image, broker.config, [NewTopic(name, 1, 1)]))
