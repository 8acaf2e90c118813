"""A server in a thread of its own, and coroutines that run there for others."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import trio

from kstream.api.registry import Registration
from kstream.broker.broker import Broker
from kstream.config.broker import BrokerConfig
from kstream.server import serve
from kstream.testing.clock import TestingClock
from kstream.testing.errors import BrokerNotRunning

T = TypeVar("T")


class ServerThread:
    """From `start` to `stop`. `run` may be called by any thread, one that runs an event loop too."""

    broker: Broker
    addresses: list[str]

    def __init__(
        self,
        config: BrokerConfig,
        data_dir: Path,
        clock: TestingClock,
        topics: list[tuple[str, int | None]],
        registrations: Mapping[int, Registration],
        opened: Callable[[Broker], None],
        *,
        is_ephemeral: bool,
    ) -> None:
        """`opened` is given the broker, in its thread, before clients are served."""
        self._serve = partial(
            serve,
            config,
            data_dir,
            clock=clock,
            topics=topics,
            registrations=registrations,
            is_ephemeral=is_ephemeral,
        )
        self._clock = clock
        self._tell_opened = opened
        self._thread = threading.Thread(target=self._main, name="kstream broker", daemon=True)
        self._started: Future[None] = Future()
        self._ended: Future[None] = Future()
        self._pending: set[Future[Any]] = set()
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope = trio.CancelScope()

    def start(self) -> None:
        """Return when clients are served. Raises what `serve` raises."""
        self._thread.start()
        try:
            self._started.result()
        except BaseException:
            self.stop_quietly()
            raise

    def stop(self) -> None:
        """Stop as a signal would. Raises what ended the server before."""
        self.stop_quietly()
        self._ended.result()

    def stop_quietly(self) -> None:
        """Stop, whatever went wrong."""
        self._soon(self._scope.cancel)
        self._thread.join()

    def crash(self) -> None:
        """Begin to end without any goodbye; `join` tells when that is done. May be called by any thread."""
        self.broker.is_crashed = True
        self._soon(self._scope.cancel)

    def join(self) -> None:
        """Return when the server has ended, however it did."""
        self._thread.join()

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run a coroutine function in the broker's loop and wait for its result.

        Raises what it raises, and BrokerNotRunning.
        """
        done: Future[T] = Future()

        async def carry_out() -> None:
            try:
                done.set_result(await work())
            except trio.Cancelled:
                raise  # the loop ends: `_main` tells who waits
            except BaseException as error:
                done.set_exception(error)

        self._pending.add(done)
        try:
            if not self._soon(lambda: trio.lowlevel.spawn_system_task(carry_out)):
                raise BrokerNotRunning("the broker has stopped")
            return done.result()
        finally:
            self._pending.discard(done)

    def _soon(self, work: Callable[[], object]) -> bool:
        if self._token is None:
            return False
        try:
            self._token.run_sync_soon(work)
        except trio.RunFinishedError:
            return False
        return True

    def _main(self) -> None:
        error: BaseException | None = None
        try:
            trio.run(self._served, clock=self._clock)
        except BaseException as raised:  # for whoever waits, in another thread
            error = raised
        for waiting in (self._started, self._ended):
            if error is not None and not waiting.done():
                waiting.set_exception(error)
        if error is None:
            self._ended.set_result(None)
        for pending in list(self._pending):
            if not pending.done():
                pending.set_exception(BrokerNotRunning("the broker has stopped"))

    async def _served(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with self._scope:
            await self._serve(ready=self._ready, opened=self._opened)

    def _opened(self, broker: Broker) -> None:
        self.broker = broker
        self._tell_opened(broker)

    def _ready(self, addresses: list[str]) -> None:
        self.addresses = addresses
        self._started.set_result(None)
