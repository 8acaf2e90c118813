"""Fetch: what is returned, and when. Answers compared with Kafka's own stand in tests/golden."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import trio

from kstream.broker.broker import Broker
from kstream.errors import ErrorCode
from kstream.log.slices import LogSlice
from kstream.testing.settling import wait_all_idle
from tests.api.data_plane import (
    batch,
    bytes_of,
    create,
    delete,
    fetch_request,
    fetched,
    only,
    opened,
    produced,
    run,
)


def test_a_fetch_begins_with_the_batch_that_contains_the_offset(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            first, second = batch(b"a", b"b", b"c"), batch(b"d", b"e")
            await produced(broker, first)
            await produced(broker, second)
            for offset in (0, 1, 2):
                assert len(bytes_of(only(await fetched(broker, fetch_request(offset))))) == len(
                    first + second
                )
            for offset in (3, 4):
                assert len(bytes_of(only(await fetched(broker, fetch_request(offset))))) == len(second)
            at_end = only(await fetched(broker, fetch_request(5)))
            assert (at_end.error_code, bytes_of(at_end), at_end.high_watermark) == (0, b"", 5)
            behind = only(await fetched(broker, fetch_request(6)))
            assert behind.error_code == ErrorCode.OFFSET_OUT_OF_RANGE

    run(test)


def test_one_whole_batch_comes_even_if_it_is_over_every_limit(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            large = batch(b"x" * 5000)
            await produced(broker, large)
            await produced(broker, large, partition=1)
            request = fetch_request(partitions=(0, 1), max_bytes=1, partition_max_bytes=1)
            (topic,) = (await fetched(broker, request)).responses
            assert [len(bytes_of(partition)) for partition in topic.partitions] == [len(large), 0]

    run(test)


def test_a_waiting_fetch_answers_when_enough_is_there_and_not_before(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            small = batch(b"x" * 100)
            request = fetch_request(max_wait_ms=60_000, min_bytes=2 * len(small))
            started_s = trio.current_time()

            async def produce_slowly() -> None:
                for _ in range(2):
                    await trio.sleep(10)
                    await produced(broker, small)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(produce_slowly)
                answer = only(await fetched(broker, request))
            assert len(bytes_of(answer)) == 2 * len(small)
            assert trio.current_time() - started_s == pytest.approx(20, abs=1)

    run(test, virtual_time=True)


def test_a_waiting_fetch_answers_with_what_there_is_when_its_time_is_up(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            small = batch(b"x")
            await produced(broker, small)
            started_s = trio.current_time()
            answer = only(await fetched(broker, fetch_request(max_wait_ms=5000, min_bytes=1 << 20)))
            assert len(bytes_of(answer)) == len(small)
            assert trio.current_time() - started_s == pytest.approx(5, abs=1)

    run(test, virtual_time=True)


def test_an_append_wakes_only_whose_condition_holds(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            done: list[str] = []

            async def wait(name: str, partition: int, min_bytes: int) -> None:
                request = fetch_request(partitions=(partition,), max_wait_ms=60_000, min_bytes=min_bytes)
                await fetched(broker, request)
                done.append(name)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait, "other partition", 1, 1)
                nursery.start_soon(wait, "wants more", 0, 1 << 20)
                nursery.start_soon(wait, "wants this", 0, 1)
                await trio.sleep(1)
                await produced(broker, batch(b"x"))
                await trio.sleep(1)
                assert done == ["wants this"]
                partition = await broker.partitions.get("t", 0)
                assert len(partition.waiters) == 1
                nursery.cancel_scope.cancel()
            assert not partition.waiters

    run(test, virtual_time=True)


def test_a_topic_deleted_under_a_waiting_fetch_ends_the_wait(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker, trio.open_nursery() as nursery:
            with trio.fail_after(30):

                async def delete_once_it_waits() -> None:
                    await wait_all_idle()
                    await delete(broker, "t")

                nursery.start_soon(delete_once_it_waits)
                answer = only(await fetched(broker, fetch_request(max_wait_ms=600_000)))
            assert answer.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION

    run(test)


def test_a_recreated_topic_is_another_one_to_who_asks_by_id(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            await create(broker, "t")
            old_id = broker.metadata.image.topics_by_name["t"].topic_id
            await produced(broker, batch(b"old"))
            await delete(broker, "t")
            await create(broker, "t")
            assert only(await fetched(broker, fetch_request())).high_watermark == 0
            request = fetch_request()
            request.topics[0].topic_id = old_id
            answer = only(await fetched(broker, request, version=13))
            assert answer.error_code == ErrorCode.UNKNOWN_TOPIC_ID

    run(test)


def test_leader_epochs_are_compared(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            for epoch, expected in ((0, 0), (1, ErrorCode.UNKNOWN_LEADER_EPOCH), (-1, 0)):
                answer = only(await fetched(broker, fetch_request(current_leader_epoch=epoch)))
                assert answer.error_code == expected
            partition = await broker.partitions.get("t", 0)
            partition.begin_epoch(1)
            answer = only(await fetched(broker, fetch_request(current_leader_epoch=0)))
            assert answer.error_code == ErrorCode.FENCED_LEADER_EPOCH

    run(test)


def test_cold_bytes_are_brought_in_by_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warmed: list[LogSlice] = []
    monkeypatch.setattr(LogSlice, "is_resident", lambda _: False)
    monkeypatch.setattr(LogSlice, "warm", lambda found: warmed.append(found))

    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            await produced(broker, batch(b"x"))
            assert bytes_of(only(await fetched(broker, fetch_request())))

    run(test)
    assert len(warmed) == 1


def test_what_grew_while_cold_bytes_were_read_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first partition is read and empty; it grows while the second one's bytes come from the disk."""

    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            await produced(broker, batch(b"x"), partition=1)
            monkeypatch.setattr(LogSlice, "is_resident", lambda _: False)
            token = trio.lowlevel.current_trio_token()
            monkeypatch.setattr(
                LogSlice, "warm", lambda _: trio.from_thread.run(grow, broker, trio_token=token)
            )
            request = fetch_request(partitions=(0, 1), max_wait_ms=600_000, min_bytes=200)
            (topic,) = (await fetched(broker, request)).responses
            assert len(bytes_of(topic.partitions[0])) > 100

    async def grow(broker: Broker) -> None:
        monkeypatch.undo()
        await produced(broker, batch(b"y" * 200))

    run(test)


def test_a_topic_deleted_while_cold_bytes_were_read_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            await produced(broker, batch(b"x"), partition=1)
            await broker.partitions.get("t", 0)
            monkeypatch.setattr(LogSlice, "is_resident", lambda _: False)
            token = trio.lowlevel.current_trio_token()
            monkeypatch.setattr(
                LogSlice, "warm", lambda _: trio.from_thread.run(delete, broker, "t", trio_token=token)
            )
            with trio.fail_after(30):
                request = fetch_request(partitions=(0, 1), max_wait_ms=600_000, min_bytes=1000)
                (topic,) = (await fetched(broker, request)).responses
            codes = {partition.error_code for partition in topic.partitions}
            assert codes == {ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}

    run(test)


def test_a_waiting_fetch_holds_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[LogSlice] = []
    release = LogSlice.release

    def noting(found: LogSlice) -> None:
        released.append(found)
        release(found)

    monkeypatch.setattr(LogSlice, "release", noting)

    async def test() -> None:
        async with opened(tmp_path, "t") as broker, trio.open_nursery() as nursery:
            await produced(broker, batch(b"x"))
            nursery.start_soon(fetched, broker, fetch_request(max_wait_ms=60_000, min_bytes=1000))
            await wait_all_idle()
            assert len(released) == 1
            nursery.cancel_scope.cancel()

    run(test)


def test_bytes_that_cannot_be_read_are_an_error_of_their_partition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bad_block(_: LogSlice) -> bool:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(LogSlice, "is_resident", bad_block)

    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            await produced(broker, batch(b"x"))
            answer = only(await fetched(broker, fetch_request()))
            assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR

    run(test)
