"""A real file system that is small: producers wait, consumers go on, and writing resumes by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat.kstream_server import KstreamServer
from kstream.errors import ErrorCode
from kstream.testing.client import WireClient
from tests.requests import create_topic, fetch, offset_of, produce, values_batch

RECORD = bytes(300_000)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A mounted file system of 6 MB."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small file system needs root on Linux")
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def fill(client: WireClient) -> int:
    """Produce until the server refuses; returns how many records were acknowledged."""
    count = 0
    while (answer := produce(client, "full", values_batch([RECORD]))).error_code == 0:
        count += 1
        assert count < 100
    assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR
    return count


def fill_up(path: Path) -> None:
    """Leave not one block."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def test_a_disk_that_fills_and_empties(small_disk: Path, tmp_path: Path) -> None:
    server = KstreamServer(folder=tmp_path / "server")
    server.data_dir = small_disk / "data"
    with server:
        with WireClient(*server.address) as client:
            create_topic(client, "full")
            count = fill(client)
            assert count > 5
            fill_up(small_disk / "filler")
            assert produce(client, "full", values_batch([b"small"] * 9)).error_code in (0, 56)
            end = offset_of(client, "full")
            assert end >= count
            for offset in range(count):  # consumers go on
                assert len(bytes(fetch(client, "full", offset).records)) > len(RECORD)
            (small_disk / "filler").unlink()
            subprocess.run(["mount", "-o", "remount,size=12m", str(small_disk)], check=True)
            answer = produce(client, "full", values_batch([RECORD]))  # by itself
            assert (answer.error_code, answer.base_offset) == (0, end)
            fill(client)
            end = offset_of(client, "full")
            fill_up(small_disk / "filler")
        code = server.stop()
        said = server.log_path.read_text()
        assert "Traceback" not in said
        assert said.count("cannot append") < 10
        assert code == 0
        assert "the next start checks the logs, and loses nothing" in said
        (small_disk / "filler").unlink()
        subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
        server.start()
        with WireClient(*server.address) as client:
            assert offset_of(client, "full") == end
            assert produce(client, "full", values_batch([RECORD])).error_code == 0
