"""The machine's own limits, measured in the same run: no server on it can pass them."""

from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.part import Measure, Part, Server, Turn, Values
from benchmarks.parts.beside import evict

_TRANSFERS = ("loopback", "sendfile", "append", "receive-append", "crc")
_SYNCED_BYTES = 4096
_THREADS = 2  # as many as recover, by default


def limits(turn: Turn) -> Values:
    """Each limit once, without any server."""
    file = turn.folder / "limit"
    size = turn.scale.bulk_bytes
    values = {
        f"limit-{what}": turn.load.limit(what, size_bytes=size, file=file).mb_per_second
        for what in _TRANSFERS
    }
    values["limit-cold-read"] = _cold_read(turn)
    syncs = turn.scale.at_most(200) * _SYNCED_BYTES
    values["limit-fdatasync"] = turn.load.limit("fdatasync", size_bytes=syncs, file=file).p50_us
    return values


def _cold_read(turn: Turn) -> float:
    """Files that are not in the page cache, one for each thread, as recovery reads them."""
    folder = turn.folder / "cold"
    folder.mkdir()
    paths = [folder / f"{number}.log" for number in range(_THREADS)]
    noise = os.urandom(1 << 20)
    pieces = max(1, turn.scale.bulk_bytes // _THREADS >> 20)
    for path in paths:
        with path.open("wb") as file:
            for _ in range(pieces):
                file.write(noise)
    evict(folder)

    def read(path: Path) -> None:
        buffer = bytearray(1 << 20)
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass

    began_s = time.perf_counter()
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(read, paths))
    elapsed_s = time.perf_counter() - began_s
    shutil.rmtree(folder)
    return _THREADS * (pieces << 20) / elapsed_s / 1e6


PARTS = [
    Part(
        name="machine",
        doc="Limits of the machine: loopback, sendfile to it, append to the page cache, fdatasync, CRC-32C,"
        " two threads that read from the disk",
        measures=(
            *(Measure(f"limit-{what}", "MB/s", True) for what in _TRANSFERS),
            Measure("limit-cold-read", "MB/s", True),
            Measure("limit-fdatasync", "µs", False),
        ),
        run=limits,
        server=Server.NONE,
        quick=True,
    )
]
