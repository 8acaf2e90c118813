"""The machine's own limits, measured in the same run: no server on it can pass them."""

from __future__ import annotations

import os
import shutil

from benchmarks.cold_files import RECOVERY_THREADS, evict, plain_read
from benchmarks.part import Measure, Part, Server, Turn, Values

_TRANSFERS = ("loopback", "sendfile", "append", "receive-append", "crc")
_SYNCED_BYTES = 4096


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
    folders = [turn.folder / f"cold-{number}" for number in range(RECOVERY_THREADS)]
    noise = os.urandom(1 << 20)
    pieces = max(1, turn.scale.bulk_bytes // len(folders) >> 20)
    for folder in folders:
        folder.mkdir()
        with (folder / "0.log").open("wb") as file:
            for _ in range(pieces):
                file.write(noise)
        evict(folder)
    try:
        return plain_read(folders)
    finally:
        for folder in folders:
            shutil.rmtree(folder)


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
