"""Compaction in a process of its own: the event loop shares no interpreter with it.

The process starts with the first round that has work, and `end` takes it away. All that it may not do happens
here between its steps: the throttle, which all workers share, makes it wait for a reply; what it has cleaned
is put in its place before it goes on.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import trio

from kstream.log.compaction_job import CleanedGroup, CompactionJob, Outcome
from kstream.log.compaction_messages import (
    LENGTH_BYTES,
    Failed,
    Order,
    Ready,
    Said,
    Touched,
    length_of,
    packed,
    unpacked,
)
from kstream.log.errors import CompactionAborted, LogStorageError
from kstream.log.platform import Platform

log = logging.getLogger(__name__)

_PIECE_BYTES = 64 * 1024
_STDERR_BYTES_MAX = 4096

Install = Callable[[CleanedGroup], Awaitable[None]]


class Pace(Protocol):
    """How fast a process may go."""

    async def wait_allowed(self, size_bytes: int) -> int:
        """Wait until somebody who touched so many bytes may go on; returns how many more, then."""


class CannotStart(Exception):
    """There is no process to be had; the message says why."""


class CompactionChild:
    """One process, while there is work for it. One round at a time."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._process: trio.Process | None = None
        self._received = bytearray()

    @property
    def pid(self) -> int | None:
        """Its process id, while there is one."""
        return None if self._process is None else self._process.pid

    async def run(self, job: CompactionJob, platform: Platform, install: Install) -> Outcome:
        """Have a round done, and each of its groups installed. If that fails, nobody writes any more.

        Raises CannotStart, what the round does, and LogStorageError if the process died.
        """
        if self._process is None:
            await self._start()
        is_whole = False
        try:
            await self._send(await trio.to_thread.run_sync(self._order, job, platform))
            while True:
                message = await self._hear()
                if isinstance(message, Failed):
                    is_whole = True
                    raise message.raised()
                if isinstance(message, Outcome):
                    is_whole = True
                    return message
                if isinstance(message, CleanedGroup):
                    await install(message)
                    allowance_bytes = await self._pace.wait_allowed(0)
                else:
                    assert isinstance(message, Touched)
                    allowance_bytes = await self._pace.wait_allowed(message.size_bytes)
                if not platform.is_plain:
                    raise CompactionAborted(f"{job.directory} is to be written in another way from now on")
                await self._send(packed(allowance_bytes))
        finally:
            if not is_whole:
                await self.end()

    def _order(self, job: CompactionJob, platform: Platform) -> bytes:
        return packed(Order(job, platform.settings()))

    async def end(self) -> None:
        """Kill the process, if there is one, and reap it."""
        process, self._process = self._process, None
        if process is None:
            return
        with trio.CancelScope(shield=True):
            process.kill()
            await process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    await stream.aclose()

    async def _start(self) -> None:
        self._received.clear()
        try:
            with trio.CancelScope(shield=True):  # or a process could be left that nobody knows
                self._process = await trio.lowlevel.open_process(
                    _command(),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    cwd="/",
                    env=_environment(),
                )
        except OSError as error:
            raise CannotStart(str(error)) from error
        try:
            message = await self._hear()
        except LogStorageError as error:
            await self.end()
            raise CannotStart(str(error)) from error
        except BaseException:
            await self.end()
            raise
        assert isinstance(message, Ready)

    async def _send(self, content: bytes) -> None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        try:
            await process.stdin.send_all(content)
        except trio.BrokenResourceError:
            raise await self._died(process) from None

    async def _hear(self) -> Any:
        """The next message but `Said`. Raises LogStorageError if the process ended."""
        while True:
            message = unpacked(await self._receive(length_of(await self._receive(LENGTH_BYTES))))
            if not isinstance(message, Said):
                return message
            logging.getLogger(message.logger).log(message.level, "%s", message.text)

    async def _receive(self, size_bytes: int) -> bytes:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        received = self._received
        while len(received) < size_bytes:
            piece = await process.stdout.receive_some(_PIECE_BYTES)
            if not piece:
                raise await self._died(process)
            received += piece
        content = bytes(received[:size_bytes])
        del received[:size_bytes]
        return content

    async def _died(self, process: trio.Process) -> LogStorageError:
        code = await process.wait()
        how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        assert process.stderr is not None
        said = await process.stderr.receive_some(_STDERR_BYTES_MAX)
        lines = said.decode(errors="replace").strip().splitlines()
        return LogStorageError(f"its process ended with {how}{''.join(f': {line}' for line in lines[-1:])}")


def _command() -> list[str]:
    """Raises OSError where this Python is no program that runs modules."""
    if not sys.executable or getattr(sys, "frozen", False):
        raise FileNotFoundError("this Python is part of another program")
    return [sys.executable, "-P", "-m", "kstream.log.compaction_process"]


def _environment() -> dict[str, str]:
    """Ours, but that modules come from where ours do: they may be in an archive, or be found by an option."""
    environment = {
        key: value
        for key, value in os.environ.items()
        if not (sys.flags.ignore_environment and key.startswith("PYTHON"))
    }
    environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(path) for path in sys.path)
    environment["OPENBLAS_NUM_THREADS"] = "1"  # NumPy's threads of its own have nothing to do
    return environment
