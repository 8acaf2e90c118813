"""Parts that need a server of their own each time: starting, and memory."""

from __future__ import annotations

import time
from contextlib import closing

from benchmarks.first_record import produce_first_record
from benchmarks.peers import fresh_topic, server
from benchmarks.process_stats import PeakMemory, rss_anon_mb
from benchmarks.run import KIB, Run

_SETTLE_S = 1.0


def start(run: Run, peer: str) -> None:
    """From the command to the first acknowledged record, with new data; Kafka's is formatted before."""
    with closing(server(peer, run.folder)) as starting:
        starting.prepare()
        began = time.perf_counter()
        starting.launch()
        produce_first_record(starting.address)
        run.add("start", peer, time.perf_counter() - began)
        starting.kill()


def memory(run: Run, peer: str) -> None:
    """RssAnon of a new server: idle, then at its peak and after so many bytes in and out."""
    records = run.scale.memory_bytes // KIB
    with server(peer, run.folder) as running:
        time.sleep(_SETTLE_S)
        run.add("memory-idle", peer, rss_anon_mb(running.pid))
        with fresh_topic(running.bootstrap) as topic, PeakMemory(running.pid) as memory_used:
            run.load.produce(running.bootstrap, topic, records=records, size=KIB)
            run.load.fetch(running.bootstrap, topic, records=records)
        run.add("memory-peak", peer, memory_used.peak_mb)
        run.add("memory-after", peer, rss_anon_mb(running.pid))
