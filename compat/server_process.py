"""What a server run as a child process has in common, whichever server it is."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
LOG_TAIL_BYTES = 4000


class ServerFailed(RuntimeError):
    """The server did not start, or ended by itself; the message ends with the tail of its log."""


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that were free a moment ago, all different."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


class ServerProcess(ABC):
    """One server process on loopback, with a folder of its own, usable as a context manager.

    `folder` holds all the server writes. Without one given it is temporary, under `parent`, and goes
    with `close()`. `port` keeps its value over `stop()`, `kill()` and another `start()`.

    Raises ServerFailed from `start()` when the process ends, or is not ready within `start_timeout_s`.
    """

    name = "server"
    reads_stdout = False  # else it goes to the log, so that no full pipe can stop the server

    def __init__(
        self, *, folder: Path | None = None, parent: Path | None = None, start_timeout_s: float = 60.0
    ) -> None:
        self._folder_is_ours = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir=parent))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.start_timeout_s = start_timeout_s
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """HOST:PORT, as clients want it."""
        return f"{HOST}:{self.port}"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, as sockets want them."""
        return HOST, self.port

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that was started last; RuntimeError before the first `start()`."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def log_path(self) -> Path:
        """The file that takes what the server prints for people; it grows over restarts."""
        return self.folder / f"{self.name}.out"

    def log_tail(self) -> str:
        """The end of the log, for an error message."""
        if not self.log_path.exists():
            return ""
        return self.log_path.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The command line, for the port in `self.port`."""

    @abstractmethod
    def wait_ready(self) -> None:
        """Return once clients are served; raise ServerFailed if that will not be."""

    def prepare(self) -> None:
        """Do what must be done once before the start, and choose a port if there is none yet."""
        if self.port == 0:
            self.port = free_ports(1)[0]

    def launch(self) -> None:
        """Start the process and return at once."""
        if self.is_running:
            raise RuntimeError(f"{self.name} is running already, as process {self.pid}")
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if self.reads_stdout else log,
                stderr=log,
                env=self.environment(),
            )

    def environment(self) -> dict[str, str]:
        """The environment of the process: ours without what would configure the server."""
        return {key: value for key, value in os.environ.items() if not key.startswith("KAFKA_")}

    def start(self) -> Self:
        """Start the process and wait until it serves clients."""
        self.launch()
        try:
            self.wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self, timeout_s: float = 30.0) -> int:
        """SIGTERM, then wait; returns the exit code. SIGKILL and ServerFailed after `timeout_s`."""
        process = self.process
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise self.failed(f"did not stop within {timeout_s:g} s of SIGTERM") from None
        finally:
            self._close_stdout()

    def kill(self) -> None:
        """SIGKILL, then reap."""
        process = self.process
        process.kill()
        process.wait()
        self._close_stdout()

    def restart(self, timeout_s: float = 30.0) -> Self:
        """Stop cleanly, if it runs, and start again on the same port and folder."""
        if self.is_running:
            self.stop(timeout_s)
        return self.start()

    def close(self) -> None:
        """End the process whatever its state, and remove the folder if it is temporary."""
        try:
            if self.is_running:
                self.stop()
        finally:
            if self._folder_is_ours:
                shutil.rmtree(self.folder, ignore_errors=True)

    def failed(self, what: str) -> ServerFailed:
        """The exception that says what happened, with the tail of the log."""
        return ServerFailed(f"{self.name} {what}\n{self.log_tail()}".rstrip())

    def _close_stdout(self) -> None:
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> Self:
        return self if self.is_running else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
