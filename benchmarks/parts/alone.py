"""What needs a server of its own each time: starting, and memory."""

from __future__ import annotations

import time

from benchmarks.first_record import produce_first_record
from benchmarks.goals import AtMost
from benchmarks.part import Measure, Part, Server, Turn, Values
from benchmarks.process_stats import PeakMemory, rss_anon_mb
from benchmarks.scale import KIB

_SETTLE_S = 1.0


def start(turn: Turn) -> Values:
    """From the command to the first acknowledged record, with new data; Kafka's is formatted before."""
    began = time.perf_counter()
    turn.server.launch()
    produce_first_record(turn.server.address)
    return {"start": time.perf_counter() - began}


def memory(turn: Turn) -> Values:
    """RssAnon of a new server: idle, then at its peak and after so many bytes in and out."""
    records = turn.scale.memory_bytes // KIB
    time.sleep(_SETTLE_S)
    idle = rss_anon_mb(turn.server.pid)
    with turn.topic() as topic, PeakMemory(turn.server.pid) as memory_used:
        turn.load.produce(turn.bootstrap, topic, records=records, size=KIB)
        turn.load.fetch(turn.bootstrap, topic, records=records)
    return {
        "memory-idle": idle,
        "memory-peak": memory_used.peak_mb,
        "memory-after": rss_anon_mb(turn.server.pid),
    }


PARTS = [
    Part(
        name="start",
        doc="From the command to the first acknowledged record, with an empty data folder",
        measures=(Measure("start", "s", False, goals=(AtMost(0.8),)),),
        run=start,
        server=Server.UNSTARTED,
        quick=True,
    ),
    Part(
        name="memory",
        doc="RssAnon of a new server: a second after the start, then at the peak of bulk load in and out",
        measures=(
            Measure("memory-idle", "MB", False, goals=(AtMost(60.0),)),
            Measure("memory-peak", "MB", False, goals=(AtMost(150.0),)),
            Measure("memory-after", "MB", False),
        ),
        run=memory,
        server=Server.FRESH,
        rounds=1,
        quick=True,
    ),
]
