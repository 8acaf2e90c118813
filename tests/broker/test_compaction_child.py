"""Compaction in a process of its own: as a thread does it, and whatever becomes of the process or the log."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from kstream.broker import log_cleaner
from kstream.broker.cleaner_pace import ChildPace, Throttle
from kstream.broker.compaction_child import CompactionChild
from kstream.broker.log_cleaner import LogCleaner
from kstream.log.compaction_job import Outcome
from tests.api.data_plane import NOW_MS, batch, create, delete, opened, produced, run
from tests.broker.test_log_cleaner import COMPACTED, fill, values

NEWEST = [b"16", b"17", b"18", b"19"]
MUCH = 1 << 30


class Pace:
    """No rest; what was touched is noted, and a test may do something before the nth reply."""

    allowance_bytes = 100

    def __init__(self, at: int = -1, then: Callable[[], Awaitable[None]] | None = None) -> None:
        self.sizes_bytes: list[int] = []
        self._at = at
        self._then = then

    async def wait_allowed(self, size_bytes: int) -> int:
        self.sizes_bytes.append(size_bytes)
        if self._then is not None and len(self.sizes_bytes) == self._at:
            await self._then()
        return self.allowance_bytes


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def is_reaped(pid: int) -> bool:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


def left(directory: Path) -> list[Path]:
    return list(directory.glob("*/*.cleaned"))


def test_it_leaves_what_the_thread_leaves_and_says_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    found: list[list[bytes]] = []

    async def test(directory: Path, child: CompactionChild | None) -> None:
        async with opened(directory) as broker:
            await create(broker, "t", **COMPACTED)
            await fill(broker)
            assert await LogCleaner(broker).clean_filthiest(child)
            assert (await values(broker))[-4:] == NEWEST
            files = sorted((directory / "t-0").glob("*.log")) + sorted((directory / "t-0").glob("*index"))
            found.append([path.read_bytes() for path in files])
            if child is not None:
                pid = child.pid
                assert pid is not None
                await fill(broker)
                assert await LogCleaner(broker).clean_filthiest(child)
                assert child.pid == pid, "one for several rounds"
                await child.end()
                assert child.pid is None
                assert is_reaped(pid)

    pace = Pace()
    run(lambda: test(tmp_path / "thread", None))
    run(lambda: test(tmp_path / "process", CompactionChild(pace)))
    assert found[0] == found[1]
    lines = [record.getMessage() for record in caplog.records if "compacted t-0" in record.getMessage()]
    assert lines[0].split(" s: ")[1] == lines[1].split(" s: ")[1]
    assert sum(pace.sizes_bytes) > 1000


def test_a_directory_may_be_given_relative_to_where_the_broker_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with opened(Path("data")) as broker:
            await create(broker, "t", **COMPACTED)
            await fill(broker)
            child = CompactionChild(Pace())
            assert await LogCleaner(broker).clean_filthiest(child)
            assert errors(caplog) == []
            assert len(await values(broker)) < 20
            await child.end()

    monkeypatch.chdir(tmp_path)
    run(test)


def test_what_is_touched_is_counted_whole_however_little_it_is(tmp_path: Path) -> None:
    async def test() -> None:
        touched_bytes: list[int] = []
        for name, allowance_bytes in (("small", 1), ("large", MUCH)):
            async with opened(tmp_path / name) as broker:
                await create(broker, "t", **COMPACTED)
                await fill(broker)
                pace = Pace()
                pace.allowance_bytes = allowance_bytes
                child = CompactionChild(pace)
                assert await LogCleaner(broker).clean_filthiest(child)
                await child.end()
                touched_bytes.append(sum(pace.sizes_bytes))
        assert touched_bytes[0] == touched_bytes[1]

    run(test)


def test_a_death_at_any_message_is_a_failed_round(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Dying(CompactionChild):
        messages_left = 0

        async def _hear(self) -> Any:
            if not self.messages_left and self._process is not None:
                self._process.kill()
                await self._process.wait()
            self.messages_left -= 1
            message = await super()._hear()
            if isinstance(message, Outcome):
                self.messages_left = MUCH
            return message

    async def test() -> None:
        async with opened(tmp_path) as broker:
            await create(broker, "t", **COMPACTED)
            await fill(broker)
            cleaner = LogCleaner(broker)
            child = Dying(Pace())
            deaths = 0
            while child.messages_left < MUCH // 2:
                caplog.clear()
                child.messages_left = deaths + 1  # the first is Ready
                if not await cleaner.clean_filthiest(child):
                    (line,) = errors(caplog)
                    assert line == "compaction of t-0 failed: its process ended with SIGKILL"
                    assert child.pid is None
                assert not left(tmp_path)
                assert (await values(broker))[-4:] == NEWEST
                deaths += 1
            assert deaths > 3
            assert not errors(caplog)
            await child.end()

    run(test)


def test_one_that_cannot_start_is_named_once_and_a_thread_does_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            await create(broker, "t", **COMPACTED)
            cleaner = LogCleaner(broker)
            for program in (str(tmp_path / "nothing"), "/bin/false", ""):
                monkeypatch.setattr(sys, "executable", program)
                await fill(broker)
                child = CompactionChild(Pace())
                assert await cleaner.clean_filthiest(child)
                assert child.pid is None
                assert len(await values(broker)) < 20
            (line,) = errors(caplog)
            assert line.startswith("compaction has no process of its own")

    run(test)


def test_a_corrupt_batch_is_what_it_is_in_a_thread(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            for topic in ("t", "u"):
                await create(broker, topic, **COMPACTED)
                await fill(broker, topic)
            path = (await broker.partitions.get("t", 0)).log.segments[0].path
            content = bytearray(path.read_bytes())
            content[-1] ^= 1
            path.write_bytes(content)
            cleaner = LogCleaner(broker)
            child = CompactionChild(Pace())
            while await cleaner.clean_filthiest(child):
                pass
            (line,) = errors(caplog)
            assert line.startswith("t-0 is not compacted until the next start: ")
            assert path.read_bytes() == content
            assert len(await values(broker, "u")) < 20
            await child.end()

    run(test)


def test_a_full_disk_by_fault_meets_it_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Writes that only this process can refuse are done here."""

    async def test() -> None:
        async with opened(tmp_path) as broker:
            await create(broker, "t", **COMPACTED)
            await fill(broker)

            def full(fd: int) -> None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            async def fill_disk() -> None:
                broker.directory.platform.guard_writes(full)

            cleaner = LogCleaner(broker)
            child = CompactionChild(Pace(2, fill_disk))
            assert await cleaner.clean_filthiest(child)
            assert (child.pid, errors(caplog)) == (None, [])
            assert not await cleaner.clean_filthiest(child)
            assert child.pid is None
            (line,) = errors(caplog)
            assert line == "compaction of t-0 failed: [Errno 28] No space left on device"
            assert not left(tmp_path)
            broker.directory.platform.guard_writes(None)
            assert await cleaner.clean_filthiest(child)
            assert (await values(broker))[-4:] == NEWEST
            await child.end()

    run(test)


@pytest.mark.parametrize("at", range(1, 5))
@pytest.mark.parametrize("is_created_anew", [False, True])
def test_a_log_that_is_deleted_meanwhile_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, at: int, is_created_anew: bool
) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            await create(broker, "t", **COMPACTED)
            await fill(broker)

            async def go() -> None:
                await delete(broker, "t")
                if is_created_anew:
                    await create(broker, "t", **COMPACTED)
                    await produced(broker, batch(b"new", key=b"k"))
                else:
                    while broker.partitions.unwanted:
                        broker.partitions.unwanted.popleft().finish()

            child = CompactionChild(Pace(at, go))
            assert await LogCleaner(broker).clean_filthiest(child)
            assert errors(caplog) == []
            if is_created_anew:
                assert await values(broker) == [b"new"]
                assert not list((tmp_path / "t-0").glob("*.cleaned"))
            await child.end()

    run(test)


def test_records_deleted_meanwhile_end_the_round(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with opened(tmp_path) as broker:
            await create(broker, "t", **COMPACTED)
            await fill(broker)
            partition = await broker.partitions.get("t", 0)

            async def go() -> None:
                partition.log.delete_records(18)
                partition.log.delete_old_segments(NOW_MS).finish()

            child = CompactionChild(Pace(1, go))
            assert await LogCleaner(broker).clean_filthiest(child)
            assert errors(caplog) == []
            assert not left(tmp_path)
            assert partition.log.log_start_offset == 18
            await child.end()

    run(test)


def test_a_stop_takes_it_along_and_a_change_of_the_rate_lets_it_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids: list[int] = []
    resting, done = trio.Event(), trio.Event()

    class Watched(CompactionChild):
        async def run(self, *arguments: Any) -> Outcome:
            outcome = await super().run(*arguments)
            done.set()
            return outcome

        async def _start(self) -> None:
            await super()._start()
            assert self.pid is not None
            pids.append(self.pid)

    class Resting(ChildPace):
        async def wait_allowed(self, size_bytes: int) -> int:
            if size_bytes:
                resting.set()
            return await super().wait_allowed(size_bytes)

    monkeypatch.setattr(log_cleaner, "CompactionChild", Watched)
    monkeypatch.setattr(log_cleaner, "ChildPace", Resting)
    rate = "log.cleaner.io.max.bytes.per.second"

    async def test() -> None:
        nonlocal resting
        async with opened(tmp_path, **{rate.replace(".", "_"): "1"}) as broker:
            await create(broker, "t", **COMPACTED)
            for _ in range(5):
                await fill(broker)
            for is_stopped in (True, False):
                resting = trio.Event()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(LogCleaner(broker).run_forever)
                    with trio.fail_after(60):
                        await resting.wait()
                        assert len(await values(broker)) == 100
                        if not is_stopped:
                            broker.config.set_dynamic(broker={}, default={rate: "1e300"})
                            await done.wait()
                    nursery.cancel_scope.cancel()
                assert not left(tmp_path)
            assert (await values(broker))[-4:] == NEWEST
            assert len(pids) == 2
            assert all(map(is_reaped, pids))

    run(test)


def test_each_worker_has_its_own_and_none_without_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    children: list[CompactionChild] = []
    running: set[int | None] = set()
    both, idle = trio.Event(), trio.Event()

    class Watched(CompactionChild):
        def __init__(self, pace: ChildPace) -> None:
            super().__init__(pace)
            children.append(self)

        async def _start(self) -> None:
            await super()._start()
            running.add(self.pid)
            if len(running) == 2:
                both.set()
            await both.wait()

        async def end(self) -> None:
            await super().end()
            if [child.pid for child in children] == [None, None]:
                idle.set()

    monkeypatch.setattr(log_cleaner, "CompactionChild", Watched)

    async def test() -> None:
        async with opened(tmp_path, log_cleaner_threads="2") as broker:
            for topic in ("t", "u"):
                await create(broker, topic, **COMPACTED)
                await fill(broker, topic)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(LogCleaner(broker).run_forever)
                with trio.fail_after(60):
                    await both.wait()
                    await idle.wait()
                nursery.cancel_scope.cancel()
            for topic in ("t", "u"):
                assert (await values(broker, topic))[-4:] == NEWEST

    run(test)


def test_rest_is_by_the_throttle_until_its_setting_changes() -> None:
    rate = 1000.0

    async def test() -> None:
        nonlocal rate
        throttle = Throttle(lambda: rate, trio.current_time)
        pace = ChildPace(throttle)
        began_s = trio.current_time()
        assert await pace.wait_allowed(2000) == 4096
        assert await pace.wait_allowed(1000) == 4096
        assert trio.current_time() - began_s == pytest.approx(3.0, abs=0.01)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pace.wait_allowed, 1_000_000)
            await trio.sleep(5)
            rate = 50_000.0
            pace.rate_changed()
        assert trio.current_time() - began_s == pytest.approx(8.0, abs=0.01)
        assert await pace.wait_allowed(50_000) == 5000
        assert trio.current_time() - began_s == pytest.approx(9.0, abs=0.01)
        rate = 1e308
        pace.rate_changed()
        assert await pace.wait_allowed(1 << 40) == 8 << 20
        assert trio.current_time() - began_s == pytest.approx(9.0, abs=0.01)

    trio.run(test, clock=MockClock(autojump_threshold=0))
