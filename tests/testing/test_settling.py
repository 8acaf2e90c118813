"""Threads that work for the event loop count as work: for who waits until all is done, for virtual time."""

from __future__ import annotations

import threading

import trio
from trio.testing import wait_all_tasks_blocked

from kstream.testing.settling import wait_all_idle
from tests.virtual_time import run_in_virtual_time


def test_idle_is_who_has_no_thread_at_work() -> None:
    async def test() -> None:
        done: list[str] = []

        async def work() -> None:
            # The thread ends when the event loop has been idle for a while.
            await trio.to_thread.run_sync(trio.from_thread.run, wait_all_tasks_blocked, 0.05)
            done.append("work")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(work)
            await wait_all_idle()
            assert done == ["work"]

    trio.run(test)


def test_virtual_time_stands_still_while_a_thread_works() -> None:
    async def test() -> None:
        leapt = threading.Event()

        async def wait() -> None:
            await trio.sleep(60)
            leapt.set()

        began_s = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            assert not await trio.to_thread.run_sync(leapt.wait, 0.05)
            assert trio.current_time() == began_s
        assert trio.current_time() == began_s + 60

    run_in_virtual_time(test)
