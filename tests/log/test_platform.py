"""Each Linux speciality and its portable fallback, on whatever machine this is."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from kstream.log.platform import COLD_PIECE_BYTES, NATIVE, Platform
from tests.log.support import append, batch_of, open_log, read_records

PLATFORMS = [pytest.param(NATIVE, id="native"), pytest.param(Platform.portable(), id="portable")]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_log_works_on_every_platform(tmp_path: Path, platform: Platform) -> None:
    log = open_log(tmp_path / "t-0", platform=platform)
    for number in range(50):
        append(log, batch_of(2, value=b"%d" % number))
    found = log.read(0, 1 << 20)
    found.warm()
    assert log.flush() == 100
    values = [record.value for record in read_records(log)]
    del log
    again = open_log(tmp_path / "t-0", platform=platform)
    assert [record.value for record in read_records(again)] == values
    again.close()
    assert again.segments.active.path.stat().st_size == again.size_bytes


@pytest.mark.parametrize("platform", PLATFORMS)
def test_slices_are_sent_whole_to_a_non_blocking_socket(tmp_path: Path, platform: Platform) -> None:
    log = open_log(tmp_path / "t-0", platform=platform)
    append(log, batch_of(1, value=os.urandom(900_000)))
    found = log.read(0, 1 << 20)
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        received = bytearray()
        sent = 0
        was_full = False
        while sent < len(found):
            try:
                sent += found.send(left.fileno(), sent, len(found))
            except BlockingIOError:
                was_full = True
                received += right.recv(1 << 20)
        left.shutdown(socket.SHUT_WR)
        while piece := right.recv(1 << 20):
            received += piece
    assert was_full
    assert received == found.view()


def test_reserving_keeps_what_is_there_and_makes_room(tmp_path: Path) -> None:
    for platform in (NATIVE, Platform.portable()):
        path = tmp_path / f"{platform.has_fallocate}"
        path.write_bytes(b"kept")
        fd = os.open(path, os.O_RDWR)
        try:
            platform.reserve(fd, 4, 1000)
            platform.reserve(fd, 4, 10)
        finally:
            os.close(fd)
        assert path.read_bytes() == b"kept" + bytes(1000)


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="only Linux tells what is in the page cache")
def test_residency_is_known(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    append(log, batch_of(1, value=bytes(500_000)))
    log.close()
    log = open_log(tmp_path / "t-0", was_clean=True)
    found = log.read(0, 1 << 20)
    assert not found.is_fresh
    os.posix_fadvise(found.fd, 0, 0, os.POSIX_FADV_DONTNEED)
    found.warm()
    assert found.is_resident()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_bytes_are_brought_in_whole_up_to_the_end_of_the_file(tmp_path: Path, platform: Platform) -> None:
    path = tmp_path / "f"
    size = 2 * COLD_PIECE_BYTES + 5000
    path.write_bytes(bytes(size))
    with path.open("rb") as file:
        fd = file.fileno()
        os.fsync(fd)
        if hasattr(os, "POSIX_FADV_DONTNEED"):
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        platform.bring_in(fd, 100, size)
        assert NATIVE.is_resident(fd, 0, size) or not NATIVE.has_nowait
        platform.read_ahead(fd, size, 1 << 20)  # nothing is there


def test_without_probes_only_what_was_just_written_counts_as_resident(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", platform=Platform.portable())
    append(log, batch_of(1))
    assert log.read(0, 100).is_resident()
    log.close()
    log = open_log(tmp_path / "t-0", platform=Platform.portable(), was_clean=True)
    assert not log.read(0, 100).is_resident()
    append(log, batch_of(1))
    assert log.read(1, 100).is_resident()


def test_syncing_works_and_fails_aloud(tmp_path: Path) -> None:
    for platform in (NATIVE, Platform.portable()):
        path = tmp_path / "f"
        path.write_bytes(b"x")
        fd = os.open(path, os.O_RDWR)
        platform.sync_data(fd)
        platform.sync_directory(tmp_path)
        os.close(fd)
        with pytest.raises(OSError, match="Bad file descriptor"):
            platform.sync_data(fd)


def test_another_process_is_given_the_same() -> None:
    for platform in (Platform.native(), Platform.portable(), Platform.native().without_sync()):
        assert Platform.of_settings(platform.settings()).settings() == platform.settings()
