"""The parts of the benchmark: what each does to a server, and what it adds to the results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.alone import memory, start
from benchmarks.canned_fetch import CannedFetch
from benchmarks.load import MOCK, Sample
from benchmarks.measures import MEASURES
from benchmarks.peers import fresh_topic
from benchmarks.process_stats import cpu_seconds
from benchmarks.run import CEILING, KIB, Run
from compat.server_process import ServerProcess


def _timed(running: ServerProcess, work: Callable[[], Sample]) -> tuple[Sample, float]:
    before = cpu_seconds(running.pid)
    sample = work()
    return sample, cpu_seconds(running.pid) - before


def _rate(measure: str, sample: Sample) -> float:
    return sample.mb_per_second if MEASURES[measure].unit == "MB/s" else sample.records_per_second


def bulk(run: Run, peer: str, running: ServerProcess, *, suffix: str, size: int) -> None:
    """Produce to a new topic, then fetch it all. The first peer's segment then measures the fetch ceiling."""
    records = run.scale.bulk_bytes // size if size >= KIB else run.scale.small_records
    with fresh_topic(running.bootstrap) as topic:
        sent, used = _timed(
            running, lambda: run.load.produce(running.bootstrap, topic, records=records, size=size)
        )
        run.add(f"produce-{suffix}", peer, _rate(f"produce-{suffix}", sent), server_cpu_seconds=used)
        for measure, fetch in _fetches(run, suffix):
            got, used = _timed(running, partial(fetch, running.bootstrap, topic, records=records))
            run.add(measure, peer, _rate(measure, got), server_cpu_seconds=used)
        if not run.results.values.get(f"fetch-{suffix}", {}).get(CEILING):
            _bulk_ceiling(
                run, running.folder / "data" / f"{topic}-0", suffix=suffix, size=size, records=records
            )


def _fetches(run: Run, suffix: str) -> list[tuple[str, Callable[..., Sample]]]:
    return [(f"fetch-{suffix}", run.load.bare_fetch), (f"fetch-{suffix}-librdkafka", run.load.fetch)]


def _bulk_ceiling(run: Run, partition: Path, *, suffix: str, size: int, records: int) -> None:
    for _ in range(1 if run.is_warming else min(3, run.scale.alternations)):
        sent = run.load.produce(MOCK, "bench", records=records, size=size)
        run.add(f"produce-{suffix}", CEILING, _rate(f"produce-{suffix}", sent))
        with CannedFetch(min(partition.glob("*.log")), "bench") as canned:
            for measure, fetch in _fetches(run, suffix):
                run.add(measure, CEILING, _rate(measure, fetch(canned.bootstrap, "bench", records=records)))


def bulk_1k(run: Run, peer: str, running: ServerProcess) -> None:
    """Records of 1 KB in bulk."""
    bulk(run, peer, running, suffix="1k", size=KIB)


def bulk_100(run: Run, peer: str, running: ServerProcess) -> None:
    """Records of 100 B in bulk."""
    bulk(run, peer, running, suffix="100", size=100)


def requests(run: Run, peer: str, running: ServerProcess) -> None:
    """Produce requests of one record of 100 B, pipelined on one connection."""
    count = run.scale.requests
    with fresh_topic(running.bootstrap) as topic:
        sent, used = _timed(
            running, lambda: run.load.requests(running.bootstrap, topic, records=count, size=100)
        )
    run.add("requests", peer, sent.records_per_second, server_cpu_seconds=used)
    if peer == "kstream":
        run.add(
            "requests", CEILING, run.load.requests(MOCK, "bench", records=count, size=100).records_per_second
        )


def latency(run: Run, peer: str, running: ServerProcess) -> None:
    """One record of 100 B at a time, to its acknowledgement."""
    count = run.scale.latencies
    with fresh_topic(running.bootstrap) as topic:
        taken = run.load.latency(running.bootstrap, topic, records=count, size=100)
    samples = [(peer, taken)]
    if peer == "kstream":
        samples.append((CEILING, run.load.latency(MOCK, "bench", records=count, size=100)))
    for whose, sample in samples:
        run.add("latency-p50", whose, sample.p50_us)
        run.add("latency-p99", whose, sample.p99_us)


@dataclass(frozen=True)
class Part:
    """A part by name: `shared`, on one server that runs all along, or `alone`, on a new one each time."""

    name: str
    measures: tuple[str, ...]
    shared: Callable[[Run, str, ServerProcess], None] | None = None
    alone: Callable[[Run, str], None] | None = None
    repeats: bool = True


PARTS = [
    Part("bulk-1k", ("produce-1k", "fetch-1k", "fetch-1k-librdkafka"), shared=bulk_1k),
    Part("bulk-100", ("produce-100", "fetch-100", "fetch-100-librdkafka"), shared=bulk_100),
    Part("requests", ("requests",), shared=requests),
    Part("latency", ("latency-p50", "latency-p99"), shared=latency),
    Part("start", ("start",), alone=start),
    Part("memory", ("memory-idle", "memory-peak", "memory-after"), alone=memory, repeats=False),
]


def chosen_parts(names: list[str]) -> list[Part]:
    """Parts by their names or by the names of what they measure; all if none is named. Raises ValueError."""
    unknown = [name for name in names if not any(name in (part.name, *part.measures) for part in PARTS)]
    if unknown:
        raise ValueError(f"no such part: {', '.join(unknown)}")
    return [part for part in PARTS if not names or any(name in (part.name, *part.measures) for name in names)]
