"""What a broker does with decided transactions: markers, restarts, deleted topics."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from kstream.api.context import RequestContext
from kstream.api.end_txn import handle as end_txn
from kstream.api.init_producer_id import handle as init_producer_id
from kstream.api.produce import handle as produce_handle
from kstream.broker.broker import Broker
from kstream.broker.metadata.image import TRANSACTIONS_TOPIC
from kstream.clock import ManualClock
from kstream.errors import ApiError, ErrorCode
from kstream.testing.settling import wait_all_idle
from kstream.transactions.end import end_transaction
from kstream.transactions.transaction import EPOCH_BUMPS
from kstream.wire.messages.end_txn import EndTxnRequest, EndTxnResponse
from kstream.wire.messages.init_producer_id import InitProducerIdRequest
from kstream.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from tests.api.data_plane import batch, delete, opened, run

Producer = tuple[int, int]


async def begun(broker: Broker, *partitions: int) -> Producer:
    """A producer with an open transaction of one record in each of some partitions of topic t."""
    await broker.transactions.ensure_topic()
    context = RequestContext(broker, api_version=5)
    request = InitProducerIdRequest(transactional_id="id", transaction_timeout_ms=60_000)
    answer = await init_producer_id(context, request)
    assert answer.error_code == 0
    producer = answer.producer_id, answer.producer_epoch
    for partition in partitions:
        assert await produced(broker, producer, partition) == 0
    return producer


async def produced(broker: Broker, producer: Producer, partition: int, sequence: int = 0) -> int:
    """Produce one record in the transaction; the error code."""
    records = batch(
        b"v",
        producer_id=producer[0],
        producer_epoch=producer[1],
        base_sequence=sequence,
        is_transactional=True,
    )
    data = PartitionProduceData(index=partition, records=memoryview(bytearray(records)))
    request = ProduceRequest(
        transactional_id="id", acks=-1, topic_data=[TopicProduceData(name="t", partition_data=[data])]
    )
    answer = await produce_handle(RequestContext(broker, api_version=12), request)
    assert answer is not None
    return answer.responses[0].partition_responses[0].error_code


async def ended(broker: Broker, request: EndTxnRequest, *, version: int = 5) -> EndTxnResponse:
    """EndTxn, and what a connection does behind its answer."""
    context = RequestContext(broker, api_version=version)
    answer = await end_txn(context, request)
    if context.after_answer is not None:
        await context.after_answer()
    return answer


def end_request(producer: Producer, *, commit: bool = True) -> EndTxnRequest:
    return EndTxnRequest(
        transactional_id="id", producer_id=producer[0], producer_epoch=producer[1], committed=commit
    )


async def stable_offsets(broker: Broker) -> list[tuple[int, int]]:
    """Last stable offset and end of each partition of t."""
    partitions = [await broker.partitions.get("t", index) for index in range(2)]
    return [(partition.last_stable_offset, partition.log.end_offset) for partition in partitions]


async def state(broker: Broker) -> str:
    return (await broker.transactions.describe("id")).transaction_state


def test_the_topic_of_transactions_is_as_kafka_makes_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            await broker.transactions.ensure_topic()
            topic = broker.metadata.image.topics_by_name[TRANSACTIONS_TOPIC]
            assert len(topic.partitions) == 50
            configs = broker.metadata.image.topic_configs(TRANSACTIONS_TOPIC)
            assert configs["cleanup.policy"] == "compact"
            assert configs["compression.type"] == "uncompressed"
            assert configs["segment.bytes"] == str(100 << 20)

    run(test)


def test_markers_are_there_before_anything_else_happens(tmp_path: Path) -> None:
    """The answer is on its way first; then nobody gets a turn until the partitions know."""

    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            producer = await begun(broker, 0, 1)
            assert await stable_offsets(broker) == [(0, 1), (0, 1)]
            context = RequestContext(broker, api_version=5)
            answer = await end_txn(context, end_request(producer))
            assert (answer.error_code, answer.producer_id, answer.producer_epoch) == (0, producer[0], 1)
            assert await state(broker) == "PrepareCommit"
            assert context.after_answer is not None
            with pytest.raises(StopIteration):
                context.after_answer().__await__().__next__()  # done without a turn of the loop
            assert await stable_offsets(broker) == [(2, 2), (2, 2)]
            assert await state(broker) == "CompleteCommit"
            assert await produced(broker, producer, 0, 1) == ErrorCode.INVALID_PRODUCER_EPOCH

    run(test)


def test_a_restart_completes_what_is_decided(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            producer = await begun(broker, 0, 1)
            request = end_request(producer)
            await broker.transactions._runtime.perform(
                "id",
                lambda shard, now_ms, token: end_transaction(
                    shard.store, request, token, now_ms, client_version=EPOCH_BUMPS
                ),
            )
            assert await state(broker) == "PrepareCommit"
        async with opened(tmp_path) as broker:
            assert await stable_offsets(broker) == [(0, 1), (0, 1)]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(broker.transactions.run_forever)
                for _ in range(1000):
                    if await completed(broker):
                        break
                    await trio.sleep(0.01)
                assert await completed(broker)
                assert await stable_offsets(broker) == [(2, 2), (2, 2)]
                nursery.cancel_scope.cancel()

    run(test)


async def completed(broker: Broker) -> bool:
    return await state(broker) == "CompleteCommit"


def test_time_ends_what_a_restart_left_open(tmp_path: Path) -> None:
    # It stands still but for the leaps: what is left to threads, loading and opening, is done before them.
    time = MockClock()

    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            producer = await begun(broker, 0)
        async with opened(tmp_path) as broker, trio.open_nursery() as nursery:
            assert isinstance(broker.clock, ManualClock)
            assert (await stable_offsets(broker))[0] == (0, 1)
            assert await state(broker) == "Ongoing"
            nursery.start_soon(broker.transactions.run_forever)
            for leap_s, expected in [(59, "Ongoing"), (1, "CompleteAbort")]:
                broker.clock.advance(ms=leap_s * 1000)
                time.jump(leap_s)
                await wait_all_idle()
                assert await state(broker) == expected
            assert (await stable_offsets(broker))[0] == (2, 2)
            answer = await ended(broker, end_request(producer), version=4)
            assert answer.error_code == ErrorCode.PRODUCER_FENCED
            nursery.cancel_scope.cancel()

    trio.run(test, clock=time)


def test_a_deleted_topic_does_not_stop_the_end(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            producer = await begun(broker, 0, 1)
            await delete(broker, "t")
            answer = await ended(broker, end_request(producer))
            assert answer.error_code == 0
            assert await completed(broker)

    run(test)


def test_what_the_end_overtakes_is_refused(tmp_path: Path) -> None:
    """A batch that was verified before the end, and is written after it, would stay open forever."""

    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            producer = await begun(broker, 0)
            partition = await broker.partitions.get("t", 1)
            guard = partition.enlistments.begin(producer[0])
            await broker.transactions.add_partitions(
                "id", *producer, frozenset({("t", 1)}), client_version=EPOCH_BUMPS
            )
            partition.enlistments.check(*producer, guard)
            await ended(broker, end_request(producer, commit=False))
            with pytest.raises(ApiError) as refused:
                partition.enlistments.check(*producer, guard)
            assert refused.value.code is ErrorCode.INVALID_TXN_STATE

    run(test)
