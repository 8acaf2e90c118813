"""Partitions after an unclean stop: several are checked at a time, and served as they become ready."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
import trio.testing

from kstream.broker.recovery import Progress, Recovery
from kstream.errors import ApiError, ErrorCode
from kstream.log.directory import LogDirectory
from tests.api.data_plane import batch, bytes_of, fetch_request, fetched, only, opened, produced, run


def recovery_of(
    tmp_path: Path, open_partition: Callable[[str, int], Awaitable[object]], *, threads: int
) -> tuple[Recovery, LogDirectory]:
    for index in range(4):
        (tmp_path / f"t-{index}").mkdir()
    directory = LogDirectory.open(tmp_path)
    return Recovery(directory, open_partition, lambda: threads), directory


async def wait_for(condition: Callable[[], bool]) -> None:
    with trio.fail_after(60):
        while not condition():
            await trio.lowlevel.checkpoint()


def test_as_many_at_a_time_as_there_are_threads_and_who_is_asked_for_comes_next(tmp_path: Path) -> None:
    async def test() -> None:
        begun: list[int] = []
        release = [trio.Event() for _ in range(4)]

        async def open_partition(topic: str, index: int) -> None:
            begun.append(index)
            await release[index].wait()

        recovery, directory = recovery_of(tmp_path, open_partition, threads=2)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(recovery.run)
            await wait_for(lambda: len(begun) == 2)
            nursery.start_soon(recovery.wait_ready, ("t", 3))
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(ApiError) as raised:
                await recovery.wait_ready(("t", 0), 0)
            assert raised.value.code == ErrorCode.NOT_LEADER_OR_FOLLOWER
            release[0].set()
            await recovery.wait_ready(("t", 0))
            await wait_for(lambda: len(begun) == 3)
            assert begun == [0, 1, 3]
            for event in release:
                event.set()
        await recovery.wait_ready(("t", 2), 0)  # all is done: nobody waits any more
        assert begun == [0, 1, 3, 2]
        directory.close()

    run(test)


@pytest.mark.parametrize("is_shown", [True, False])
def test_progress_is_shown_or_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, is_shown: bool
) -> None:
    shown: list[Progress | None] = []

    async def test() -> None:
        release = trio.Event()

        async def open_partition(topic: str, index: int) -> None:
            if index:
                await release.wait()

        recovery, directory = recovery_of(tmp_path, open_partition, threads=1)
        if is_shown:
            recovery.show_progress = shown.append
        async with trio.open_nursery() as nursery:
            nursery.start_soon(recovery.run)
            await trio.sleep(6)
            release.set()
        directory.close()

    caplog.set_level("INFO")
    run(test, virtual_time=True)
    if is_shown:
        assert shown[0] == Progress(0, 0, 1, 4)
        assert shown[-1] is None
    else:
        assert any("1 of 4 partitions are ready" in message for message in caplog.messages)


def test_records_are_served_once_their_partition_is_checked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            for index in (0, 1):
                await produced(broker, batch(b"kept"), partition=index)
        (tmp_path / ".kafka_cleanshutdown").unlink()
        async with opened(tmp_path) as broker:
            assert {("t", 0), ("t", 1)} <= broker.directory.unrecovered
            before_bytes = broker.directory.checked_bytes  # of the metadata log
            expected_bytes = broker.directory.unrecovered_bytes()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(broker.partitions.recovery.run)
                for index in (1, 0):
                    answer = only(await fetched(broker, fetch_request(partitions=(index,))))
                    assert bytes_of(answer)
            assert not broker.directory.unrecovered
            assert broker.directory.checked_bytes - before_bytes == expected_bytes > 0

    caplog.set_level("INFO")
    run(test)
    assert [record for record in caplog.messages if record.startswith("all 2 partitions are checked")]
