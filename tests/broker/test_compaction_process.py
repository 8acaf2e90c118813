"""The process for compaction as such: when it ends, and what it spares the broker."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kstream.log.cleanable import cleanable
from kstream.log.compaction import Compaction
from kstream.log.compaction_job import CleanedGroup
from kstream.log.compaction_messages import (
    LENGTH_BYTES,
    Order,
    Ready,
    Touched,
    length_of,
    packed,
    unpacked,
)
from kstream.log.config import LogConfig
from kstream.log.platform import Platform
from tests.log.support import NOW_MS, append, keyed_batch, open_log

MUCH = 1 << 30


class Process:
    """The other end of one, by hand."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "kstream.log.compaction_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.hear() == Ready()

    def tell(self, message: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(packed(message))
        self._process.stdin.flush()

    def hear(self) -> Any:
        assert self._process.stdout is not None
        return unpacked(self._process.stdout.read(length_of(self._process.stdout.read(LENGTH_BYTES))))

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def hang_up(self) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            return self._process.wait(60)
        finally:
            self._process.kill()
            self._process.stdout.close()


@pytest.mark.parametrize("has_order", [False, True])
def test_it_ends_with_its_input_and_not_by_the_signals_of_a_terminal(tmp_path: Path, has_order: bool) -> None:
    log = open_log(tmp_path / "t-0", LogConfig(cleanup_policy=("compact",)))
    append(log, keyed_batch(("a", "1"), ("a", "2")))
    log.roll(NOW_MS)
    process = Process()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process.signal(number)
    if has_order:
        job = Compaction(log, cleanable(log, None, NOW_MS), NOW_MS).job
        process.tell(Order(job, Platform.native().settings()))
        assert process.hear() == Touched(log.segments[0].size_bytes)
        process.tell(MUCH)
        assert isinstance(process.hear(), CleanedGroup)
    assert process.hang_up() == 0


SERVER = """
import sys
from pathlib import Path
import trio
from kstream.broker.compaction_child import CompactionChild
from kstream.broker.log_cleaner import LogCleaner
from tests.api.data_plane import create, opened
from tests.broker.test_log_cleaner import COMPACTED, fill, values

class Pace:
    async def wait_allowed(self, size_bytes):
        if sys.argv[2] == "rest" and size_bytes:
            print(child.pid, flush=True)
            await trio.sleep_forever()
        return 1

async def main():
    async with opened(Path(sys.argv[1])) as broker:
        await create(broker, "t", **COMPACTED)
        await fill(broker)
        assert await LogCleaner(broker).clean_filthiest(child)
        await child.end()
        print("numpy" in sys.modules, len(await values(broker)) < 20)

child = CompactionChild(Pace())
trio.run(main)
"""


def server(directory: Path, how: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SERVER, str(directory), how]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_the_broker_itself_has_no_use_for_numpy(tmp_path: Path) -> None:
    with server(tmp_path, "run") as process:
        assert process.stdout is not None
        assert process.stdout.read() == "False True\n"


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux tells of the end of a process not ours")
def test_none_outlives_a_broker_that_was_killed(tmp_path: Path) -> None:
    with server(tmp_path, "rest") as process:
        assert process.stdout is not None
        fd = os.pidfd_open(int(process.stdout.readline()))
        process.kill()
    try:
        ended, _, _ = select.select([fd], [], [], 60)
        assert ended == [fd]
    finally:
        os.close(fd)
