"""The README's client snippets do what they say when pasted, against a server that holds nothing yet."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat.kstream_server import KstreamServer

pytestmark = pytest.mark.clients

README = Path(__file__).parents[2] / "README.md"
TIMEOUT_S = 60.0


@pytest.fixture
def server() -> Iterator[KstreamServer]:
    with KstreamServer() as running:
        yield running


def _pasted(server: KstreamServer, pattern: str) -> list[str]:
    found = re.findall(pattern, README.read_text(), re.MULTILINE | re.DOTALL)
    return [snippet.replace("127.0.0.1:9092", server.bootstrap) for snippet in found]


@pytest.mark.parametrize("library", ["confluent_kafka", "kafka"])
def test_python_snippet(server: KstreamServer, library: str) -> None:
    (snippet,) = (
        text
        for text in _pasted(server, r"^```python\n(.*?)^```")
        if text.startswith(f"from {library} import")
    )
    done = subprocess.run(
        [sys.executable, "-c", snippet], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "hello" in done.stdout


def test_kcat_snippet(server: KstreamServer) -> None:
    if shutil.which("kcat") is None:
        pytest.skip("kcat is not installed: apt-get install kcat")
    commands = _pasted(server, r"^    ((?:echo hello \| )?kcat -[PC] [^\n]*)$")
    assert len(commands) == 2
    done = [
        subprocess.run(
            command,
            shell=True,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=True,
            stdin=subprocess.DEVNULL,
        )
        for command in commands
    ]
    assert done[-1].stdout == "hello\n"


def test_commands_are_those_of_continuous_integration() -> None:
    """`.ci/run` runs the README's own test command, so what a newcomer pastes is what is tested."""
    (command,) = re.findall(
        r'^test_command="(.*)"$', (README.parent / ".ci" / "run").read_text(), re.MULTILINE
    )
    assert f"    {command}\n" in README.read_text()
