"""Microseconds of the log's hot calls: `python -m benchmarks.log [DIRECTORY]`.

Everything is in the page cache; the `pwritev` column is the system call alone, the floor of an append on this
machine.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from kstream.log.config import LogConfig
from kstream.log.partition import PartitionLog
from kstream.records.batch import read_header
from kstream.records.builder import build_batch

NOW_MS = 1_700_000_000_000
ROUNDS = 5


def microseconds(call: Callable[[], object], count: int) -> float:
    """Median over rounds of one call's time."""
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(count):
            call()
        times.append((time.perf_counter() - begin) / count * 1e6)
    return median(times)


def append_of(
    log: PartitionLog, record_count: int, value_bytes: int, *, writable: bool = False
) -> Callable[[], object]:
    """A call that appends one batch."""
    batch = build_batch((NOW_MS, None, bytes(value_bytes)) for _ in range(record_count))
    headers = [read_header(batch)]
    buffer = memoryview(bytearray(batch)) if writable else memoryview(batch)
    return lambda: log.append(buffer, headers, leader_epoch=0, now_ms=NOW_MS)


def idempotent_append(log: PartitionLog) -> Callable[[], object]:
    """A call that appends one record of a producer with sequences."""
    header = read_header(
        build_batch([(NOW_MS, None, bytes(100))], producer_id=1, producer_epoch=0, base_sequence=0)
    )
    batch = memoryview(
        build_batch([(NOW_MS, None, bytes(100))], producer_id=1, producer_epoch=0, base_sequence=0)
    )
    sequence = -1

    def append() -> None:
        nonlocal sequence
        sequence += 1
        log.append(batch, [header._replace(base_sequence=sequence)], leader_epoch=0, now_ms=NOW_MS)

    return append


def bare_write(directory: Path) -> Callable[[], object]:
    """The system call that an append cannot do without."""
    fd = os.open(directory / "bare", os.O_RDWR | os.O_CREAT)
    os.truncate(fd, 1 << 28)
    pieces = (bytes(16), memoryview(bytes(154)))
    position = 0

    def write() -> None:
        nonlocal position
        position += os.pwritev(fd, pieces, position)

    return write


def tail_read(log: PartitionLog) -> Callable[[], object]:
    """What a consumer at the log's end does, with the append it waits for."""
    append = append_of(log, 1, 100)

    def append_and_read() -> None:
        offset = log.end_offset
        append()
        assert len(log.read(offset, 1 << 20))

    return append_and_read


def measure(directory: Path) -> dict[str, float]:
    """All figures by name."""
    config = LogConfig(segment_bytes=1 << 28)
    log = PartitionLog.open(directory / "bench-0", config, now_ms=NOW_MS)
    figures = {
        "pwritev alone, 170 B": microseconds(bare_write(directory), 20_000),
        "append, 1 record of 100 B": microseconds(append_of(log, 1, 100), 20_000),
        "append, 1 record, stamped in place": microseconds(append_of(log, 1, 100, writable=True), 20_000),
        "append, 1 record, idempotent": microseconds(idempotent_append(log), 20_000),
        "append, 1,000 records of 1 KB": microseconds(append_of(log, 1000, 1000), 40),
        "append and read at the end": microseconds(tail_read(log), 20_000),
    }
    offsets = iter(range(ROUNDS * 20_000))
    figures["read 1 MiB, next offset"] = microseconds(lambda: log.read(next(offsets), 1 << 20), 20_000)
    choose = random.Random(1)
    figures["read 1 MiB, any offset"] = microseconds(
        lambda: log.read(choose.randrange(log.end_offset), 1 << 20), 20_000
    )
    found = log.read(0, 1 << 20)
    figures["is 1 MiB resident?"] = microseconds(found.is_resident, 2_000)
    figures["offset of a time"] = microseconds(lambda: log.offset_for_timestamp(NOW_MS), 2_000)
    log.delete().finish()
    return figures


def main() -> None:
    """Print one line for each figure."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as directory:
        for name, figure in measure(Path(directory)).items():
            print(f"{name:<40}{figure:10.2f} us")


if __name__ == "__main__":
    main()
