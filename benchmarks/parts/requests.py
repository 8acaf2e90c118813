"""One record a request: as many as will go, on one connection and on many."""

from __future__ import annotations

from benchmarks.goals import ANY, Times
from benchmarks.load import MOCK, SINK
from benchmarks.part import Measure, Part, Turn, Values

_SIZE = 100
_DEPTH = 64  # requests under way on the one connection
_GOALS = (Times(3.0, "kafka"), Times(1.0, "kfake"))


def requests(turn: Turn) -> Values:
    """Pipelined on one connection, by librdkafka and by the bare client."""
    count = turn.scale.requests
    with turn.topic() as topic:
        sent = turn.on_server(
            "requests", lambda: turn.load.requests(turn.bootstrap, topic, records=count, size=_SIZE)
        )
    with turn.topic() as topic:
        bare = turn.on_server("requests-bare", lambda: _bare(turn, turn.bootstrap, topic))
    return {"requests": sent.records_per_second, "requests-bare": bare}


def requests_ceiling(turn: Turn) -> Values:
    """The same against the mock cluster, and the bare client's sink."""
    sent = turn.load.requests(MOCK, "bench", records=turn.scale.requests, size=_SIZE)
    return {"requests": sent.records_per_second, "requests-bare": _bare(turn, SINK, "bench")}


def _bare(turn: Turn, bootstrap: str, topic: str) -> float:
    sample = turn.load.wire_requests(
        bootstrap, topic, records=turn.scale.requests, size=_SIZE, connections=1, depth=_DEPTH
    )
    return sample.records_per_second


def many(turn: Turn) -> Values:
    """One request under way on each of many connections."""
    with turn.topic() as topic:
        rate = turn.on_server("requests-many", lambda: _many(turn, turn.bootstrap, topic))
    return {"requests-many": rate}


def many_ceiling(turn: Turn) -> Values:
    """The same against the sink."""
    return {"requests-many": _many(turn, SINK, "bench")}


def _many(turn: Turn, bootstrap: str, topic: str) -> float:
    sample = turn.load.wire_requests(
        bootstrap,
        topic,
        records=turn.scale.requests,
        size=_SIZE,
        connections=turn.scale.connections_active,
        depth=1,
    )
    return sample.records_per_second


def one_at_a_time(turn: Turn) -> Values:
    """Each sent when the one before is acknowledged."""
    with turn.topic() as topic:
        taken = turn.load.latency(turn.bootstrap, topic, records=turn.scale.latencies, size=_SIZE)
    return {"one-at-a-time-p50": taken.p50_us, "one-at-a-time-p99": taken.p99_us}


def one_at_a_time_ceiling(turn: Turn) -> Values:
    """The same against the mock cluster."""
    taken = turn.load.latency(MOCK, "bench", records=turn.scale.latencies, size=_SIZE)
    return {"one-at-a-time-p50": taken.p50_us, "one-at-a-time-p99": taken.p99_us}


PARTS = [
    Part(
        name="requests",
        doc="Produce requests of one record of 100 bytes, pipelined on one connection, Nagle off",
        measures=(
            Measure("requests", "requests/s", True, goals=_GOALS),
            Measure("requests-bare", "requests/s", True, goals=_GOALS),
        ),
        run=requests,
        ceiling=requests_ceiling,
        quick=True,
    ),
    Part(
        name="requests-many",
        doc="Produce requests of one record of 100 bytes on 1,000 connections, one under way on each",
        measures=(Measure("requests-many", "requests/s", True, goals=_GOALS),),
        run=many,
        ceiling=many_ceiling,
        quick=True,
    ),
    Part(
        name="one-at-a-time",
        doc="One record of 100 bytes at a time, each sent when the one before is acknowledged",
        measures=(
            Measure("one-at-a-time-p50", "µs", False, goals=(Times(1.0, ANY),)),
            Measure("one-at-a-time-p99", "µs", False, goals=(Times(1.0, ANY),)),
        ),
        run=one_at_a_time,
        ceiling=one_at_a_time_ceiling,
        quick=True,
    ),
]
