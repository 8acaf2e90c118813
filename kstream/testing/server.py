"""A server that can crash and come back: the same data and addresses, in thread after thread."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from kstream.api import registry
from kstream.broker.broker import Broker
from kstream.config.broker import BrokerConfig
from kstream.config.listeners import host_port
from kstream.config.load import load
from kstream.errors import KstreamError
from kstream.faults import Faults
from kstream.testing.clock import TestingClock
from kstream.testing.errors import BrokerNotRunning
from kstream.testing.thread import ServerThread
from kstream.testing.watching import new_errors, new_requests, watched

log = logging.getLogger(__name__)


class Server:
    """From `start` to `stop`, with as many lives between as it takes. Its methods are called by tests."""

    def __init__(
        self,
        settings: Mapping[str, str],
        data_dir: Path,
        clock: TestingClock,
        topics: list[tuple[str, int | None]],
        *,
        is_ephemeral: bool,
    ) -> None:
        """`is_ephemeral`: `data_dir` goes with this server, which then need not leave it in order."""
        self._settings = {**settings, "log.dirs": str(data_dir)}
        self._data_dir = data_dir
        self._clock = clock
        self._topics = topics
        self._is_ephemeral = is_ephemeral
        self._thread: ServerThread | None = None
        self._faults = Faults()
        self._is_settled = threading.Event()
        """Not set while it is about to come back by itself."""
        self._failure: KstreamError | None = None
        self.errors = new_errors()
        self.requests = new_requests()
        self.registrations = watched(registry.load(), self.errors, self.requests)

    def start(self) -> None:
        """Return when clients are served. Raises what the server does."""
        self._is_settled.clear()
        try:
            config = self._configured()
            thread = ServerThread(
                config,
                self._data_dir,
                self._clock,
                self._topics,
                self.registrations,
                self._opened,
                is_ephemeral=self._is_ephemeral,
            )
            thread.start()
            # A server that comes back is where its clients look for it.
            self._settings["listeners"] = ",".join(
                f"{each.name}://{host_port(each.host, each.port)}" for each in config.bound_listeners
            )
            self._thread = thread
        finally:
            self._is_settled.set()

    def _configured(self) -> BrokerConfig:
        config, notes = load(settings=[f"{name}={value}" for name, value in self._settings.items()])
        for note in notes:
            log.log(logging.WARNING if note.is_warning else logging.DEBUG, "%s", note.text)
        return config

    def _opened(self, broker: Broker) -> None:
        self._faults = broker.faults = self._faults.successor()
        broker.crash = self._on_crash

    @property
    def thread(self) -> ServerThread:
        """The one that runs, once it does again. Raises BrokerNotRunning."""
        self._is_settled.wait()
        if self._failure is not None:
            raise BrokerNotRunning(f"the broker did not come back after a crash: {self._failure}")
        if self._thread is None:
            raise BrokerNotRunning("the broker has crashed: restart() starts it again")
        return self._thread

    def stop(self) -> None:
        """Stop cleanly, if it runs. Raises what ended the server before its time."""
        self._is_settled.wait()
        if self._thread is not None:
            if self._is_ephemeral:
                self._thread.crash()
            self._thread.stop()

    def crash(self) -> None:
        """Return when nothing of the server is left but its files."""
        thread = self.thread
        self._thread = None
        thread.crash()
        thread.join()

    def go_back(self, copy_to: Callable[[Path], None]) -> None:
        """Start again, without any goodbye, on what `copy_to` puts in the place of all data."""
        if self._thread is not None:
            self.crash()
        for entry in self._data_dir.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        copy_to(self._data_dir)
        self.restart()

    def restart(self) -> None:
        """Start again, after a clean stop if it runs."""
        self._is_settled.wait()
        self._failure = None
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()
        self.start()

    def _on_crash(self, after_ms: int) -> None:
        """A fault says so, in the server's thread."""
        thread = self._thread
        assert thread is not None
        self._is_settled.clear()
        self._thread = None
        thread.crash()
        come_back = threading.Thread(
            target=self._come_back, args=(thread, after_ms), name="kstream restart", daemon=True
        )
        come_back.start()

    def _come_back(self, dead: ServerThread, after_ms: int) -> None:
        dead.join()
        time.sleep(after_ms / 1000)
        try:
            self.start()
        except KstreamError as error:
            self._failure = error
            self._is_settled.set()
