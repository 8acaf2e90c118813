"""Apache Kafka's own log cleaner and ours, round by round over equal logs: what stays is equal."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from compat.kafka_jars import KafkaUnavailable, java, kafka_jars
from kstream.log.analysis import Origin
from kstream.log.config import LogConfig
from kstream.log.partition import PartitionLog
from kstream.records.batch import read_header
from kstream.records.compression import Codec
from kstream.records.control import end_txn_batch
from kstream.records.record import iter_records
from tests.log.support import append, compact, keyed_batch, open_log

pytestmark = pytest.mark.java

KEPT_MS = 1000
CONFIG = LogConfig(
    cleanup_policy=("compact",), segment_bytes=6000, index_interval_bytes=200, delete_retention_ms=KEPT_MS
)


def filled(directory: Path, seed: int, now_ms: int) -> PartitionLog:
    """Keys, tombstones, codecs; idempotent and transactional producers, some of them gone silent."""
    draw = random.Random(seed)
    log = open_log(directory, CONFIG, now_ms=now_ms)
    sequences: dict[int, int] = {}
    for number in range(200):
        records: list[tuple[str, str | None]] = [
            (f"k{draw.randrange(30)}", None if draw.random() < 0.2 else "v" * draw.randrange(60))
            for _ in range(draw.randrange(1, 6))
        ]
        settings: dict[str, Any] = {"codec": Codec(draw.randrange(5)), "timestamp_ms": now_ms + number}
        producer_id = draw.choice([-1, 1, 2, 3 + number // 50, 20, 21])
        if producer_id >= 0:
            settings |= {
                "producer_id": producer_id,
                "producer_epoch": 0,
                "base_sequence": sequences.get(producer_id, 0),
                "is_transactional": producer_id >= 20,
            }
            sequences[producer_id] = sequences.get(producer_id, 0) + len(records)
        append(log, keyed_batch(*records, **settings), now_ms=now_ms)
        if producer_id >= 20 and draw.random() < 0.5:
            end(log, producer_id, now_ms + number, is_commit=draw.random() < 0.5)
    for producer_id in (20, 21):
        end(log, producer_id, now_ms + 200, is_commit=False)
    log.roll(now_ms)
    append(log, keyed_batch(("k1", "active"), timestamp_ms=now_ms), now_ms=now_ms)
    return log


def end(log: PartitionLog, producer_id: int, timestamp_ms: int, *, is_commit: bool) -> None:
    marker = end_txn_batch(
        is_commit=is_commit,
        producer_id=producer_id,
        producer_epoch=0,
        coordinator_epoch=1,
        timestamp_ms=timestamp_ms,
    )
    append(log, marker, origin=Origin.COORDINATOR)


def kafka_round(directory: Path, now_ms: int, first_dirty_offset: int, map_bytes: int) -> int:
    """One round of Kafka's cleaner; the offset that it cleaned up to."""
    numbers = (
        now_ms,
        first_dirty_offset,
        map_bytes,
        CONFIG.segment_bytes,
        CONFIG.index_interval_bytes,
        KEPT_MS,
    )
    try:
        command = [java(), "-cp", f"{kafka_jars()}/*", str(Path(__file__).with_name("KafkaCleaner.java"))]
    except KafkaUnavailable as reason:
        pytest.skip(str(reason))
    done = subprocess.run(
        [*command, str(directory), *map(str, numbers)], capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("cleaned ")]
    assert len(lines) == 1, done.stdout + done.stderr
    return int(lines[0].removeprefix("cleaned "))


def contents(directory: Path) -> list[tuple[str, list[Any]]]:
    """Of each segment all headers, but what depends on the codec's library, and all records; and the aborted
    transactions.
    """
    found = []
    for path in sorted(directory.glob("*.log")):
        content = path.read_bytes()
        batches: list[Any] = []
        position = 0
        while position < len(content):
            header = read_header(content, position)
            records = list(iter_records(content, position, header=header))
            batches.append((header._replace(length=0, crc=0), records))
            position += header.size_bytes
        index = path.with_suffix(".txnindex")
        batches.append(index.read_bytes() if index.exists() else b"")
        found.append((path.name, batches))
    return found


@pytest.mark.parametrize(("seed", "map_bytes"), [(1, 1 << 20), (2, 1 << 20), (3, 24 * 20)])
def test_rounds_leave_the_same(tmp_path: Path, seed: int, map_bytes: int) -> None:
    now_ms = time.time_ns() // 1_000_000  # Kafka's producers expire by the machine's clock
    ours, theirs = tmp_path / "ours" / "t-0", tmp_path / "theirs" / "t-0"
    filled(ours, seed, now_ms).close()
    shutil.copytree(ours, theirs)
    offset = 0
    for at_ms in (now_ms, now_ms + 10, now_ms + 10 + KEPT_MS, now_ms + 20 + 2 * KEPT_MS):
        their_end = kafka_round(theirs, at_ms, offset, map_bytes)
        log = open_log(ours, CONFIG, now_ms=now_ms)
        our_end = compact(log, offset, at_ms, map_bytes=map_bytes).end_offset
        log.close()
        assert our_end == their_end
        offset = our_end if map_bytes < 1000 else 0
        for mine, kafkas in zip(contents(ours), contents(theirs), strict=True):
            assert mine == kafkas
