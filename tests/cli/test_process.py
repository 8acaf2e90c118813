"""The command as a process, with the real server: one line when ready, one for each mistake, a clean end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TIMEOUT_S = 120


def command(*argv: str) -> list[str]:
    return [sys.executable, "-m", "kstream", *argv]


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("KAFKA_")}


def start(*argv: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*argv), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )


def fail(*argv: str) -> str:
    """What a command that cannot run says, which must be one line on standard error, and exit code 2."""
    done = subprocess.run(
        command(*argv), capture_output=True, text=True, env=environment(), timeout=TIMEOUT_S
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def server(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running server and the address it is ready at."""
    process = start("--listen", "127.0.0.1:0", "--data", str(data_dir), "--topic", "t:2")
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("kstream ready 127.0.0.1:")
        yield process, line.split()[2]
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=TIMEOUT_S)


def test_clients_are_served_once_it_is_ready(
    server: tuple[subprocess.Popen[str], str], data_dir: Path
) -> None:
    host, _, port = server[1].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as client:
        client.sendall(bytes.fromhex("0000000a 0012 0000 00000007 ffff"))  # ApiVersions v0
        assert client.recv(8)[4:8] == bytes.fromhex("00000007")
    assert (data_dir / "meta.properties").exists()


def test_a_taken_port(server: tuple[subprocess.Popen[str], str], tmp_path: Path) -> None:
    message = fail("--listen", server[1], "--data", str(tmp_path))
    assert server[1] in message
    assert "--listen" in message


def test_a_folder_in_use(server: tuple[subprocess.Popen[str], str], data_dir: Path) -> None:
    message = fail("--listen", "127.0.0.1:0", "--data", str(data_dir))
    assert str(data_dir) in message


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in fail("--listen", "127.0.0.1:0", "--data", str(tmp_path / "file"))


def test_a_signal_stops_it_cleanly(server: tuple[subprocess.Popen[str], str], data_dir: Path) -> None:
    process, _ = server
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0
    assert stdout == ""
    assert "Traceback" not in stderr
    assert stderr.splitlines()[-1].endswith("stopped")
    assert (data_dir / ".kafka_cleanshutdown").exists()
