"""What brokers do by themselves: compaction, and retention."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import Producer

from benchmarks.goals import Times
from benchmarks.keyed import alter, fill, is_cleaned
from benchmarks.part import Measure, Part, Server, Turn, Values

_TIMEOUT_S = 300.0
_POLL_S = 0.02
_PARTITIONS = 100
_NOT_COMPARED = "it has neither compaction nor segments"


def compaction(turn: Turn) -> Values:
    """From when a topic becomes compacted until all but its active segment is clean, by the bytes it had."""
    with turn.topic(segment_bytes="33554432") as topic:
        fill(turn.bootstrap, topic, records=turn.scale.keyed_records)
        partition = turn.data_dir / f"{topic}-0"
        active = max(partition.glob("*.log"))
        size_bytes = sum(path.stat().st_size for path in partition.glob("*.log") if path != active)
        if not size_bytes:  # a quick run has one segment, which no server cleans
            size_bytes = active.stat().st_size
        began_s = time.perf_counter()
        alter(turn.bootstrap, topic, cleanup_policy="compact", min_cleanable_dirty_ratio="0.01")
        _wait(lambda: is_cleaned(partition) or len(list(partition.glob("*.log"))) == 1)
        elapsed_s = time.perf_counter() - began_s
    return {"compaction": size_bytes / elapsed_s / 1e6}


def retention(turn: Turn) -> Values:
    """From when all records of many segments expire until none of their files is a segment any more."""
    partitions = min(_PARTITIONS, turn.scale.segments)
    with turn.topic(partitions, segment_ms="1", retention_ms="-1") as topic:
        _fill_with_segments(turn.bootstrap, topic, turn.scale.segments, partitions)
        folders = [turn.data_dir / f"{topic}-{index}" for index in range(partitions)]
        count = sum(len(list(folder.glob("*.log"))) for folder in folders)
        if count < turn.scale.segments // 2:  # Kafka does not roll for every record
            raise RuntimeError(f"{count} segments where {turn.scale.segments} were to be")
        began_s = time.perf_counter()
        alter(turn.bootstrap, topic, retention_ms="1")
        _wait(lambda: all(_is_empty(folder) for folder in folders))
        elapsed_s = time.perf_counter() - began_s
    return {"retention": count / elapsed_s}


def _fill_with_segments(bootstrap: str, topic: str, segments: int, partitions: int) -> None:
    """A record for each segment, a second after the last one by its timestamp."""
    settings = {"bootstrap.servers": bootstrap, "linger.ms": 0, "batch.num.messages": 1, "log_level": 4}
    producer = Producer(settings)
    begin_ms = int(time.time() * 1000) - segments * 1000
    for number in range(segments):
        timestamp_ms = begin_ms + number // partitions * 1000
        producer.produce(topic, b"x", partition=number % partitions, timestamp=timestamp_ms)
        producer.poll(0)
    if producer.flush(_TIMEOUT_S):
        raise RuntimeError("records were not taken")


def _is_empty(partition: Path) -> bool:
    logs = list(partition.glob("*.log"))
    return len(logs) == 1 and int(logs[0].stem) > 0


def _wait(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + _TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"not done within {_TIMEOUT_S:g} s")
        time.sleep(_POLL_S)


PARTS = [
    Part(
        name="compaction",
        doc="100-byte records, each key four times: how fast they are clean after cleanup.policy=compact",
        measures=(Measure("compaction", "MB/s", True, goals=(Times(1.0, "kafka"),)),),
        run=compaction,
        server=Server.FRESH,
        rounds=3,
        not_for={"kfake": _NOT_COMPARED, "tansu": _NOT_COMPARED},
        settings={"log.cleaner.backoff.ms": "100"},
    ),
    Part(
        name="retention",
        doc="10,000 segments in 100 partitions that expire at once, checked for every 0.1 s",
        measures=(Measure("retention", "segments/s", True, goals=(Times(1.0, "kafka"),)),),
        run=retention,
        server=Server.FRESH,
        rounds=3,
        not_for={"kfake": _NOT_COMPARED, "tansu": _NOT_COMPARED},
        settings={"log.retention.check.interval.ms": "100", "log.initial.task.delay.ms": "100"},
    ),
]
