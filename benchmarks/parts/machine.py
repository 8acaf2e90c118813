"""The machine's own limits, measured in the same run: no server on it can pass them."""

from __future__ import annotations

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
    syncs = turn.scale.at_most(200) * _SYNCED_BYTES
    values["limit-fdatasync"] = turn.load.limit("fdatasync", size_bytes=syncs, file=file).p50_us
    return values


PARTS = [
    Part(
        name="machine",
        doc="Limits of the machine: loopback, sendfile to it, append to the page cache, fdatasync, CRC-32C",
        measures=(
            *(Measure(f"limit-{what}", "MB/s", True) for what in _TRANSFERS),
            Measure("limit-fdatasync", "µs", False),
        ),
        run=limits,
        server=Server.NONE,
        quick=True,
    )
]
