"""A program that does as the lines of its stdin say: one JSON request a line, one JSON answer a line.

So clients of any language stand behind one story. A request is `{"do": NAME, ...}`, an answer
`{"result": ...}` or `{"error": TEXT}`; bytes travel as base64. The requests: `compat/programs/README.md`.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ANSWER_TIMEOUT_S = 60.0
_TAIL_BYTES = 3000
_ROOT = Path(__file__).parents[1]


class ProgramFailed(RuntimeError):
    """The program answered with an error, did not answer, or ended; with what it said on stderr."""


class LineProcess:
    """One such program, started by the first question. `close()` or `kill()` ends it."""

    def __init__(self, command: Sequence[str]) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self._received = bytearray()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, cwd=_ROOT
        )

    def ask(self, do: str, **arguments: Any) -> Any:
        """Send a request and wait for its answer. Raises ProgramFailed."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended; reading says how
        answer = json.loads(self._line(do))
        if "error" in answer:
            raise ProgramFailed(f"{do}: {answer['error']}")
        return answer["result"]

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def _line(self, do: str) -> bytes:
        assert self._process.stdout is not None
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while (end := self._received.find(b"\n")) < 0:
            left_s = max(0.0, deadline - time.monotonic())
            readable, _, _ = select.select([self._process.stdout], [], [], left_s)
            if not readable:
                raise self._failed(f"{do}: no answer within {ANSWER_TIMEOUT_S:.0f} s")
            piece = os.read(self._process.stdout.fileno(), 1 << 16)
            if not piece:
                raise self._failed(f"{do}: the program ended with exit code {self._process.wait()}")
            self._received += piece
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line

    def _failed(self, what: str) -> ProgramFailed:
        size = self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, size - _TAIL_BYTES))
        return ProgramFailed(f"{what}\n{self._said.read().decode(errors='replace')}".rstrip())

    def close(self, timeout_s: float = 10.0) -> None:
        """End its input, and wait for it; one that does not end by that is killed."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        self.kill()

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._said):
            if pipe is not None and not pipe.closed:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def text_of(data: bytes | None) -> str | None:
    """Bytes as they travel."""
    return None if data is None else base64.b64encode(data).decode()


def bytes_of(text: str | None) -> bytes | None:
    """Bytes that travelled."""
    return None if text is None else base64.b64decode(text)
