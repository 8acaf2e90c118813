"""Latency at a fixed rate, counted from when each request was due: who stalls pays for all that wait.

The rate is the same for every peer: half of what the slowest of them can do, found in its first turn.
All know it after the warm-up, which does not count.
"""

from __future__ import annotations

from functools import partial

from benchmarks.goals import ANY, Times
from benchmarks.load import SINK, Sample
from benchmarks.part import Measure, Part, Turn, Values

_SIZE = 100
FEW = 16
PERCENTILES = ("p50", "p99", "p999")


def shared_rate(turn: Turn, topic: str, connections: int) -> float:
    """Requests a second, and note what this peer can do if that is not known."""
    if turn.peer not in turn.notes:
        count = max(connections * 2, turn.scale.requests // 4)
        sample = turn.load.wire_requests(
            turn.bootstrap, topic, records=count, size=_SIZE, connections=connections, depth=1
        )
        turn.notes[turn.peer] = sample.records_per_second
    return min(turn.notes.values()) / 2


def at_rate(turn: Turn, topic: str, connections: int, rate: float, times: int = 1) -> Sample:
    """One-record requests, so many a second, for as many times the usual seconds."""
    return turn.load.wire_rate(
        turn.bootstrap,
        topic,
        rate=rate,
        seconds=turn.scale.seconds * times,
        size=_SIZE,
        connections=connections,
    )


def percentiles(name: str, sample: Sample) -> dict[str, float]:
    """Values of three measures."""
    return {f"{name}-p50": sample.p50_us, f"{name}-p99": sample.p99_us, f"{name}-p999": sample.p999_us}


def latency(turn: Turn, *, name: str, many: bool) -> Values:
    """At half the rate of the slowest peer."""
    connections = turn.scale.connections_active if many else min(FEW, turn.scale.connections_active)
    with turn.topic() as topic:
        rate = shared_rate(turn, topic, connections)
        sample = turn.on_server(f"{name}-p50", lambda: at_rate(turn, topic, connections, rate))
    return {**percentiles(name, sample), f"{name}-rate": sample.records_per_second}


def latency_ceiling(turn: Turn, *, name: str, many: bool) -> Values:
    """The sink at the same rate."""
    connections = turn.scale.connections_active if many else min(FEW, turn.scale.connections_active)
    rate = min(turn.notes.values()) / 2
    sample = turn.load.wire_rate(
        SINK, "bench", rate=rate, seconds=turn.scale.seconds, size=_SIZE, connections=connections
    )
    return percentiles(name, sample)


def _measures(name: str) -> tuple[Measure, ...]:
    return tuple(Measure(f"{name}-{each}", "µs", False, goals=(Times(1.0, ANY),)) for each in PERCENTILES)


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
]
