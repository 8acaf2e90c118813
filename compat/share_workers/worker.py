"""A share consumer as a process that is killed and started again; each life writes a history of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from compat.builds import built
from compat.share_workers.history import Life, events_in
from compat.story import ClientMissing

_ROOT = Path(__file__).parents[2]
_CONSUMERS_IN_A_JVM = 4
"""A process of Java's costs as much as four of the others; killed, it takes so many workers with it."""


def confluent_command() -> list[str]:
    """librdkafka's share consumer. Arguments of all: HOST:PORT, settings joined by ";", topics."""
    return [sys.executable, "-W", "ignore", "-m", "compat.share_workers.confluent_worker"]


def go_command() -> list[str]:
    """franz-go's. Raises ClientMissing."""
    return built("go", "share-worker")


def java_command(workers: int = 1) -> list[str]:
    """Kafka's own, so many in one process. Raises ClientMissing."""
    runtime, *arguments = built("java", "share-worker")
    return [runtime, f"-Dshare.workers={workers}", *arguments]


def commands(count: int) -> list[tuple[str, int, list[str]]]:
    """So many workers as processes, each with its client and how many it is: a third franz-go, a quarter
    Java, as far as these can be had here, and librdkafka.
    """
    found: list[tuple[str, int, list[str]]] = []
    with suppress(ClientMissing):
        found += [("franz-go", 1, go_command())] * (count // 3)
    with suppress(ClientMissing):
        command = java_command(_CONSUMERS_IN_A_JVM)
        processes = max(1, count // (4 * _CONSUMERS_IN_A_JVM))
        found += [("java", _CONSUMERS_IN_A_JVM, command)] * processes
    left = count - sum(workers for _, workers, _ in found)
    return found + [("librdkafka", 1, confluent_command())] * left


class Worker:
    """One process of workers, over all its lives."""

    def __init__(self, name: str, command: Sequence[str], folder: Path) -> None:
        self.name = name
        self._command = command
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._lives: list[Life] = []

    def start(self) -> None:
        """Begin a new life."""
        life = len(self._lives)
        with self._history(life).open("wb") as history, self._log(life).open("wb") as log:
            began_ms = time.time_ns() // 1_000_000
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=history, stderr=log, cwd=_ROOT
            )
        self._lives.append(Life(self.name, began_ms))

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None and self.is_running:
            self._process.kill()
            self._lives[-1].is_killed = True
        self._reap()

    def ask_to_leave(self) -> None:
        """It closes its consumer and ends; `wait` for that."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def wait(self, timeout_s: float) -> None:
        """Until it has ended; it is killed if it does not."""
        if self._process is not None:
            try:
                self._process.wait(max(0.0, timeout_s))
            except subprocess.TimeoutExpired:
                self.kill()
        self._reap()

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process = None

    def lives(self) -> list[Life]:
        """With what each told; an end of its own accord, by an error, counts like a kill."""
        for number, life in enumerate(self._lives):
            life.events = events_in(self._history(number))
        for life in self._lives[:-1]:
            life.is_killed = True
        return self._lives

    def logged(self) -> str:
        """The end of what its last life wrote to stderr."""
        return self._log(len(self._lives) - 1).read_text(errors="replace")[-1000:]

    def _history(self, life: int) -> Path:
        return self._folder / f"{self.name}-{life}.history"

    def _log(self, life: int) -> Path:
        return self._folder / f"{self.name}-{life}.log"
