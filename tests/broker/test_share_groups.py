"""Share groups of a broker: states are initialized behind heartbeats, moved, forgotten and deleted, through
restarts, and by one at a time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
import trio

from kstream.broker.broker import Broker
from kstream.broker.metadata.delete_topics import TopicKey, delete_topics
from kstream.clock import ManualClock
from kstream.config.broker import BrokerConfig
from kstream.errors import ApiError, ErrorCode
from kstream.groups.settings import Caller
from kstream.groups.share.partitions import StatePartitions
from kstream.testing.settling import wait_all_idle
from kstream.wire.messages.alter_share_group_offsets import (
    AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsRequestPartition,
    AlterShareGroupOffsetsRequestTopic,
)
from kstream.wire.messages.delete_share_group_offsets import (
    DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsRequestTopic,
)
from kstream.wire.messages.initialize_share_group_state import (
    InitializeShareGroupStateRequest,
    InitializeShareGroupStateResponse,
    InitializeStateResult,
    PartitionResult,
)
from kstream.wire.messages.read_share_group_state_summary import (
    PartitionData,
    ReadShareGroupStateSummaryRequest,
    ReadStateSummaryData,
)
from kstream.wire.messages.share_group_heartbeat import (
    ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
)
from tests.virtual_time import run_in_virtual_time

CALLER = Caller("client", "/127.0.0.1", 1)
GROUP = "group"
Test = Callable[[Broker], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Test], None]:
    """Runs a coroutine function on a broker of this test's directory, in time that leaps when all wait."""

    async def with_broker(test: Test) -> None:
        config = BrokerConfig(
            {
                "offsets.topic.num.partitions": "3",
                "share.coordinator.state.topic.num.partitions": "3",
                "group.share.assignment.interval.ms": "0",
            }
        )
        broker = Broker.open(tmp_path / "data", config, ManualClock())
        try:
            await broker.groups.ensure_topic()
            await broker.create_missing_topics([("t", 2), ("u", 1)])
            async with trio.open_nursery() as nursery:
                nursery.start_soon(broker.groups.run_forever)
                nursery.start_soon(broker.share_states.run_forever)
                await test(broker)
                nursery.cancel_scope.cancel()
        finally:
            broker.close()

    return lambda test: run_in_virtual_time(partial(with_broker, test))


async def beat(broker: Broker, member_id: str, epoch: int, *topics: str) -> ShareGroupHeartbeatResponse:
    request = ShareGroupHeartbeatRequest(
        group_id=GROUP,
        member_id=member_id,
        member_epoch=epoch,
        subscribed_topic_names=list(topics) or None,
    )
    return await broker.groups.share.heartbeat(request, CALLER)


def held(answer: ShareGroupHeartbeatResponse) -> int:
    return (
        sum(len(topic.partitions) for topic in answer.assignment.topic_partitions) if answer.assignment else 0
    )


async def wait_for_partitions(broker: Broker, member_id: str, count: int, *topics: str) -> int:
    """Heartbeats that say all, until the member has so many partitions; its epoch."""
    answer = await beat(broker, member_id, 0, *topics)
    with trio.fail_after(60):
        while held(answer) != count:
            await trio.sleep(0.1)
            answer = await beat(broker, member_id, answer.member_epoch, *topics)
    return answer.member_epoch


def moving(topic: str, *starts: int) -> AlterShareGroupOffsetsRequest:
    partitions = [
        AlterShareGroupOffsetsRequestPartition(partition_index=index, start_offset=start)
        for index, start in enumerate(starts)
    ]
    topics = [AlterShareGroupOffsetsRequestTopic(topic_name=topic, partitions=partitions)]
    return AlterShareGroupOffsetsRequest(group_id=GROUP, topics=topics)


async def places(broker: Broker) -> dict[str, list[tuple[int, int]]]:
    """Start offset and lag of all that the group has a state of."""
    topics = await broker.groups.share.positions.describe(GROUP, None)
    return {
        topic.topic_name: [(each.start_offset, each.lag) for each in topic.partitions] for topic in topics
    }


async def state_of(broker: Broker, topic_id: bytes, index: int) -> int:
    """Where the state itself says that the group is; -1 where there is none."""
    wanted = ReadStateSummaryData(topic_id=topic_id, partitions=[PartitionData(partition=index)])
    request = ReadShareGroupStateSummaryRequest(group_id=GROUP, topics=[wanted])
    response = await broker.share_states.read_summary(request)
    (result,) = response.results[0].partitions
    return -1 if result.error_code else result.start_offset


def topic_id_of(broker: Broker, name: str) -> bytes:
    return broker.metadata.image.topics_by_name[name].topic_id


def test_a_member_gets_partitions_whose_states_are_there(run: Callable[[Test], None]) -> None:
    async def begin(broker: Broker) -> None:
        await wait_for_partitions(broker, "a", 2, "t")
        assert await places(broker) == {"t": [(-1, -1), (-1, -1)]}
        await beat(broker, "a", -1)
        await broker.groups.share.alter_offsets(moving("t", 0, 3))
        assert await places(broker) == {"t": [(0, 0), (3, -3)]}

    async def go_on(broker: Broker) -> None:
        assert await places(broker) == {"t": [(0, 0), (3, -3)]}
        assert held(await beat(broker, "b", 0, "t")) == 2

    run(begin)
    run(go_on)


def test_the_first_heartbeat_brings_partitions(run: Callable[[Test], None]) -> None:
    async def test(broker: Broker) -> None:
        answers: dict[str, ShareGroupHeartbeatResponse] = {}

        async def join(member_id: str) -> None:
            answers[member_id] = await beat(broker, member_id, 0, "t")

        assert await places(broker) == {}  # which loads what is asked next by two at once
        async with trio.open_nursery() as nursery:
            nursery.start_soon(join, "a")
            nursery.start_soon(join, "b")
        assert [held(answers[name]) for name in "ab"] in ([2, 1], [1, 1], [1, 2])
        assert held(await beat(broker, "a", answers["a"].member_epoch, "t", "u")) in (1, 2)
        await beat(broker, "b", -1)
        assert held(await beat(broker, "c", 0, "u")) == 1

    run(test)


def test_a_heartbeat_does_not_wait_for_long(
    run: Callable[[Test], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(broker: Broker) -> None:
        real, may_go_on = broker.share_states.initialize, trio.Event()

        async def initialize(request: InitializeShareGroupStateRequest) -> InitializeShareGroupStateResponse:
            await may_go_on.wait()
            return await real(request)

        monkeypatch.setattr(broker.share_states, "initialize", initialize)
        began_s = trio.current_time()
        joined = await beat(broker, "a", 0, "t")
        assert held(joined) == 0
        assert 1 <= trio.current_time() - began_s < 2
        may_go_on.set()
        await wait_all_idle()
        assert held(await beat(broker, "a", joined.member_epoch)) == 2

    run(test)


def test_what_is_deleted_leaves_no_state(run: Callable[[Test], None]) -> None:
    async def test(broker: Broker) -> None:
        t, u = topic_id_of(broker, "t"), topic_id_of(broker, "u")
        await broker.groups.share.alter_offsets(moving("t", 5, 6))
        await broker.groups.share.alter_offsets(moving("u", 7))
        changed: list[tuple[str, bytes, int]] = []

        def note(group_id: str, topic_id: bytes, index: int, *, is_deleted: bool) -> None:
            assert is_deleted
            changed.append((group_id, topic_id, index))

        broker.groups.share.on_offsets_changed(note)
        topics = [DeleteShareGroupOffsetsRequestTopic(topic_name="u")]
        request = DeleteShareGroupOffsetsRequest(group_id=GROUP, topics=topics)
        (answer,) = (await broker.groups.share.delete_offsets(request)).responses
        assert answer.error_code == ErrorCode.NONE
        assert changed == [(GROUP, u, 0)]
        assert [await state_of(broker, t, 1), await state_of(broker, u, 0)] == [6, -1]
        assert (await broker.groups.delete(GROUP)).error_code == ErrorCode.NONE
        assert [await state_of(broker, t, index) for index in range(2)] == [-1, -1]
        assert sorted(changed[1:]) == [(GROUP, t, 0), (GROUP, t, 1)]
        assert await places(broker) == {}

    run(test)


def test_a_topic_that_is_deleted_goes_out_of_the_group(run: Callable[[Test], None]) -> None:
    async def test(broker: Broker) -> None:
        await broker.groups.share.alter_offsets(moving("t", 1, 1))
        await broker.metadata.update(lambda image: delete_topics(image, [TopicKey(name="t")]))
        await wait_all_idle()
        groups = [each.shard.state.share_groups.get(GROUP) for each in broker.groups._runtime.loaded()]
        (group,) = [each for each in groups if each is not None]
        assert group.partitions == StatePartitions()
        assert await places(broker) == {}

    run(test)


def test_operators_do_one_thing_at_a_time(run: Callable[[Test], None]) -> None:
    async def test(broker: Broker) -> None:
        t = topic_id_of(broker, "t")
        await broker.groups.share.alter_offsets(moving("t", 0, 0))

        async def delete() -> None:
            await broker.groups.delete(GROUP)

        async def move(start: int) -> None:
            await broker.groups.share.alter_offsets(moving("t", start, start))

        for start in range(1, 8):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(delete)
                nursery.start_soon(move, start)
                nursery.start_soon(delete)
            found = (await places(broker)).get("t")
            states = [await state_of(broker, t, index) for index in range(2)]
            # Whichever came last: states and what the group knows of them agree.
            assert [place for place, _ in found] == states if found else states == [-1, -1]
        assert broker.groups.share._locks == {}

    run(test)


def test_states_that_cannot_be_initialized_are_said_to_be_so(
    run: Callable[[Test], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(broker: Broker) -> None:
        real = broker.share_states.initialize
        refused = 0

        async def initialize(
            request: InitializeShareGroupStateRequest, *, is_own: bool = True
        ) -> InitializeShareGroupStateResponse:
            nonlocal refused
            refused += 1
            if refused > 2:
                return await real(request, is_own=is_own)
            return InitializeShareGroupStateResponse(
                results=[
                    InitializeStateResult(
                        topic_id=topic.topic_id,
                        partitions=[
                            PartitionResult(
                                partition=each.partition, error_code=ErrorCode.COORDINATOR_NOT_AVAILABLE
                            )
                            for each in topic.partitions
                        ],
                    )
                    for topic in request.topics
                ]
            )

        monkeypatch.setattr(broker.share_states, "initialize", initialize)
        moved = await broker.groups.share.alter_offsets(moving("t", 4, 4))
        codes = [each.error_code for each in moved.responses[0].partitions]
        assert codes == [ErrorCode.COORDINATOR_NOT_AVAILABLE] * 2
        assert await places(broker) == {}
        await wait_for_partitions(broker, "a", 2, "t")
        assert refused == 3

    run(test)


def test_requests_without_a_group_are_refused(run: Callable[[Test], None]) -> None:
    async def test(broker: Broker) -> None:
        request = moving("t", 0)
        request.group_id = ""
        with pytest.raises(ApiError) as nameless:
            await broker.groups.share.alter_offsets(request)
        assert nameless.value.code is ErrorCode.INVALID_GROUP_ID
        with pytest.raises(ApiError) as unknown:
            await broker.groups.share.delete_offsets(DeleteShareGroupOffsetsRequest(group_id=GROUP))
        assert unknown.value.code is ErrorCode.GROUP_ID_NOT_FOUND
        assert (await broker.groups.delete(GROUP)).error_code == ErrorCode.GROUP_ID_NOT_FOUND

    run(test)
