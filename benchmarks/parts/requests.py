"""One record a request."""

from __future__ import annotations

from benchmarks.goals import Times
from benchmarks.load import MOCK
from benchmarks.part import Measure, Part, Turn, Values

_SIZE = 100


def requests(turn: Turn) -> Values:
    """Pipelined on one connection, by librdkafka."""
    count = turn.scale.requests
    with turn.topic() as topic:
        sent = turn.on_server(
            "requests", lambda: turn.load.requests(turn.bootstrap, topic, records=count, size=_SIZE)
        )
    return {"requests": sent.records_per_second}


def requests_ceiling(turn: Turn) -> Values:
    """The same against the mock cluster."""
    sent = turn.load.requests(MOCK, "bench", records=turn.scale.requests, size=_SIZE)
    return {"requests": sent.records_per_second}


def latency(turn: Turn) -> Values:
    """One record at a time."""
    with turn.topic() as topic:
        taken = turn.load.latency(turn.bootstrap, topic, records=turn.scale.latencies, size=_SIZE)
    return {"latency-p50": taken.p50_us, "latency-p99": taken.p99_us}


def latency_ceiling(turn: Turn) -> Values:
    """The same against the mock cluster."""
    taken = turn.load.latency(MOCK, "bench", records=turn.scale.latencies, size=_SIZE)
    return {"latency-p50": taken.p50_us, "latency-p99": taken.p99_us}


PARTS = [
    Part(
        name="requests",
        doc="Produce requests of one record of 100 bytes, pipelined on one connection, Nagle off",
        measures=(Measure("requests", "requests/s", True, goals=(Times(3.0, "kafka"), Times(1.0, "kfake"))),),
        run=requests,
        ceiling=requests_ceiling,
        quick=True,
    ),
    Part(
        name="latency",
        doc="One record of 100 bytes at a time, each sent when the one before is acknowledged",
        measures=(Measure("latency-p50", "µs", False), Measure("latency-p99", "µs", False)),
        run=latency,
        ceiling=latency_ceiling,
        quick=True,
    ),
]
