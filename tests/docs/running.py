"""Runs the code blocks of one page in order, as a reader would who pastes them."""

from __future__ import annotations

import doctest
import json
import os
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from compat.kstream_server import KstreamServer
from compat.server_process import free_ports
from tests.docs.snippets import Snippet, server_arguments

DEFAULT_ADDRESS = "127.0.0.1:9092"
DEFAULT_HTTP_ADDRESS = "127.0.0.1:9644"
TIMEOUT_S = 240.0

DATA: dict[str, Callable[[str], object]] = {
    "json": lambda text: [json.loads(line) for line in text.splitlines()],
    "toml": tomllib.loads,
}
"""Languages that are read rather than run."""

SHOWN = ("text", "mermaid", "yaml", "properties", "ini", "dockerfile")
"""Languages that nothing here can run; what they hold has tests of its own where there is any to have."""


class PageRun:
    """A folder for a page's files, and a server that knows of nothing but this page, started when needed."""

    def __init__(self, page: Path, folder: Path) -> None:
        self._arguments = server_arguments(page)
        self._folder = folder
        self._server: KstreamServer | None = None
        self._http_address = f"127.0.0.1:{free_ports(1)[0]}"

    def __enter__(self) -> PageRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.__exit__(kind, error, trace)

    def run(self, snippet: Snippet) -> None:
        """Run one. Raises AssertionError with what it printed if it fails or prints something else."""
        if snippet.language in DATA:
            DATA[snippet.language](snippet.text)
        elif snippet.language == "console":
            for command, expected in sessions(snippet.text):
                printed = self._command(snippet, ["bash", "-euc", self._local(command)])
                if expected:
                    _check(snippet, command, expected, printed)
        elif snippet.language in ("sh", "bash"):
            self._command(snippet, ["bash", "-euc", self._local(snippet.text)])
        elif snippet.language == "python":
            self._python(snippet)
        else:
            assert snippet.language in SHOWN, f"{snippet}: a block needs a language, not {snippet.language!r}"

    def _python(self, snippet: Snippet) -> None:
        is_test = "def test_" in snippet.text
        script = self._folder / f"{'test_' if is_test else ''}line_{snippet.line}.py"
        script.write_text(self._local(snippet.text))
        runner = ["-m", "pytest", "-q", "-p", "no:cacheprovider"] if is_test else []
        self._command(snippet, [sys.executable, *runner, str(script)])

    def _local(self, text: str) -> str:
        """The text with the addresses of this page's server."""
        if self._server is None:
            arguments = [each.replace(DEFAULT_HTTP_ADDRESS, self._http_address) for each in self._arguments]
            self._server = KstreamServer(arguments=arguments).__enter__()
        return text.replace(DEFAULT_ADDRESS, self._server.bootstrap).replace(
            DEFAULT_HTTP_ADDRESS, self._http_address
        )

    def _command(self, snippet: Snippet, command: list[str]) -> str:
        assert self._server is not None
        done = subprocess.run(
            command,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            env={
                **os.environ,
                "PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}",
                "KSTREAM_BOOTSTRAP": self._server.bootstrap,
                "KSTREAM_HTTP": f"http://{self._http_address}",
                "NO_COLOR": "1",
            },
        )
        assert done.returncode == 0, f"{snippet}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout


def sessions(text: str) -> list[tuple[str, str]]:
    """Commands of a console block, each with the output that stands below it (empty: any).

    A command begins with `$ `, and goes on in lines that begin with `> `.
    """
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif line.startswith("> ") and found and not found[-1][1]:
            found[-1] = (f"{found[-1][0]}\n{line[2:]}", "")
        else:
            assert found, f"output before any command: {line!r}"
            found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


def _check(snippet: Snippet, command: str, expected: str, printed: str) -> None:
    """Compare as doctest does: `...` stands for anything, and runs of blanks are alike."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.OutputChecker().check_output(expected, printed, flags), (
        f"{snippet}: {command}\nshould print\n{expected}but printed\n{printed}"
    )
