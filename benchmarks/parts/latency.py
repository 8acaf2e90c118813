"""Latency at a fixed rate, counted from when each request was due: who stalls pays for all that wait.

The rate is the same for every peer: half of what the slowest of them can do, found in its first turn.
All know it after the warm-up, which does not count.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from benchmarks.goals import ANY, Times
from benchmarks.load import SINK, Sample
from benchmarks.part import Measure, Part, Turn, Values
from benchmarks.scale import KIB

_SIZE = 100
_FEW = 16
_PERCENTILES = ("p50", "p99", "p999")
_IN_MEMORY = "it keeps everything in memory, so it has no cold data to replay"


def _rate(turn: Turn, topic: str, connections: int) -> float:
    """Requests a second, and note what this peer can do if that is not known."""
    if turn.peer not in turn.notes:
        count = max(connections * 2, turn.scale.requests // 4)
        sample = turn.load.wire_requests(
            turn.bootstrap, topic, records=count, size=_SIZE, connections=connections, depth=1
        )
        turn.notes[turn.peer] = sample.records_per_second
    return min(turn.notes.values()) / 2


def _at_rate(turn: Turn, topic: str, connections: int) -> Sample:
    return turn.load.wire_rate(
        turn.bootstrap,
        topic,
        rate=_rate(turn, topic, connections),
        seconds=turn.scale.seconds,
        size=_SIZE,
        connections=connections,
    )


def _values(name: str, sample: Sample) -> dict[str, float]:
    return {f"{name}-p50": sample.p50_us, f"{name}-p99": sample.p99_us, f"{name}-p999": sample.p999_us}


def latency(turn: Turn, *, name: str, many: bool) -> Values:
    """At half the rate of the slowest peer."""
    connections = turn.scale.connections_active if many else min(_FEW, turn.scale.connections_active)
    with turn.topic() as topic:
        sample = turn.on_server(f"{name}-p50", lambda: _at_rate(turn, topic, connections))
    return {**_values(name, sample), f"{name}-rate": sample.records_per_second}


def latency_ceiling(turn: Turn, *, name: str, many: bool) -> Values:
    """The sink at the same rate."""
    connections = turn.scale.connections_active if many else min(_FEW, turn.scale.connections_active)
    rate = min(turn.notes.values()) / 2
    sample = turn.load.wire_rate(
        SINK, "bench", rate=rate, seconds=turn.scale.seconds, size=_SIZE, connections=connections
    )
    return _values(name, sample)


def evict(folder: Path) -> None:
    """Write out the files and have the kernel forget their pages, so that reading them means the disk."""
    for path in folder.glob("*.log"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def beside_replay(turn: Turn) -> Values:
    """With a consumer beside it that reads a topic from the disk, again and again."""
    records = turn.scale.bulk_bytes // KIB
    with turn.topic() as topic, turn.topic() as replayed:
        turn.load.produce(turn.bootstrap, replayed, records=records, size=KIB)
        partition = turn.server.folder / "data" / f"{replayed}-0"

        def replay() -> None:
            evict(partition)
            turn.load.bare_fetch(turn.bootstrap, replayed, records=records)

        _rate(turn, topic, _FEW)
        with turn.beside(replay):
            sample = _at_rate(turn, topic, _FEW)
    return _values("latency-replay", sample)


def _measures(name: str) -> tuple[Measure, ...]:
    return tuple(Measure(f"{name}-{each}", "µs", False, goals=(Times(1.0, ANY),)) for each in _PERCENTILES)


def _part(name: str, doc: str, *, many: bool) -> Part:
    return Part(
        name=name,
        doc=doc,
        measures=(*_measures(name), Measure(f"{name}-rate", "requests/s", True)),
        run=partial(latency, name=name, many=many),
        ceiling=partial(latency_ceiling, name=name, many=many),
        quick=True,
    )


_DOC = (
    "One-record requests at half the rate of the slowest peer, {}; each latency counts from when it was due"
)
PARTS = [
    _part("latency", _DOC.format("16 connections"), many=False),
    _part("latency-1000", _DOC.format("1,000 connections"), many=True),
    Part(
        name="latency-replay",
        doc=_DOC.format("16 connections, beside a replay from the disk"),
        measures=_measures("latency-replay"),
        run=beside_replay,
        not_for={"kfake": _IN_MEMORY, "tansu": _IN_MEMORY},
    ),
]
