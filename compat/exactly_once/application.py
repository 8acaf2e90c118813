"""A program that is killed and started again, and says on stdout what it has done."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

_ROOT = Path(__file__).parents[2]


class Application:
    """One instance. `output` takes what it prints, over all its lives; what it logs stands beside it."""

    def __init__(self, command: Sequence[str], output: Path) -> None:
        self._command = command
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def start(self) -> None:
        """Begin a new life."""
        with self._output.open("ab") as output, self._output.with_suffix(".log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=output, stderr=log, cwd=_ROOT
            )
        self.starts += 1

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self, timeout_s: float) -> None:
        """Ask it to end, as a service's supervisor does. Raises subprocess.TimeoutExpired."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout_s)

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def revive(self) -> None:
        """Start it again if it has given up by itself."""
        if not self.is_running:
            self.start()

    def said(self) -> str:
        """Everything it printed."""
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    def logged(self) -> str:
        """What it wrote to stderr."""
        log = self._output.with_suffix(".log")
        return log.read_text(errors="replace") if log.exists() else ""

    def counts(self) -> Counter[str]:
        """How often each first word came: committed, aborted, failed."""
        return Counter(line.split(maxsplit=1)[0].rstrip(":") for line in self.said().splitlines() if line)
