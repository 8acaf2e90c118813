"""A soak: mixed load for long, and what the server is like at its end beside how it was at its beginning."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from confluent_kafka import Consumer, Producer

from benchmarks.goals import AtMost
from benchmarks.part import Measure, Part, Server, Turn, Values
from benchmarks.process_stats import open_files, rss_anon_mb, threads
from benchmarks.scale import KIB

_RATE = 500.0  # one-record requests a second whose latency is watched
_CONNECTIONS = 16
_PAUSE_S = 1.0  # of the work in bulk between two turns: the machine is not to be its limit
_WARM_UP = 0.1  # the share of the time that is not looked at


def soak(turn: Turn) -> Values:
    """Requests at a fixed rate; beside them topics that come and go in bulk, transactions, and groups."""
    seconds = turn.scale.soak_seconds
    files: list[int] = []
    memory: list[float] = []
    counts: list[int] = []

    def watch() -> None:
        began = time.monotonic()
        while not ended.wait(min(5.0, seconds / 20)):
            if time.monotonic() - began > seconds * _WARM_UP:
                memory.append(rss_anon_mb(turn.server.pid))
                files.append(open_files(turn.server.pid))
                counts.append(threads(turn.server.pid))

    ended = threading.Event()
    watcher = threading.Thread(target=watch)
    with turn.topic(retention_bytes="50000000", segment_bytes="10000000") as topic:
        watcher.start()
        try:
            with turn.beside(lambda: _bulk(turn), lambda: _transactions(turn), lambda: _group(turn)):
                sample = turn.load.wire_rate(
                    turn.bootstrap,
                    topic,
                    rate=_RATE,
                    seconds=seconds,
                    size=100,
                    connections=_CONNECTIONS,
                    windows=10,
                )
        finally:
            ended.set()
            watcher.join()
    return {
        "soak-p50-growth": _growth([p50 for p50, _ in sample.windows]),
        "soak-p99-growth": _growth([p99 for _, p99 in sample.windows]),
        "soak-memory-growth": _growth(memory),
        "soak-files-growth": _growth(files),
        "soak-threads-growth": _growth(counts),
        "soak-memory": max(memory),
    }


def _growth(values: list[float] | list[int]) -> float:
    """The mean of the last third over that of the first."""
    third = max(1, len(values) // 3)
    first, last = sum(values[:third]) / third, sum(values[-third:]) / third
    return last / first if first else 1.0


def _bulk(turn: Turn) -> None:
    records = turn.scale.bulk_bytes // KIB // 8
    with turn.topic() as topic:
        turn.load.produce(turn.bootstrap, topic, records=records, size=KIB)
        turn.load.bare_fetch(turn.bootstrap, topic, records=records)
    time.sleep(_PAUSE_S)


def _transactions(turn: Turn) -> None:
    producer = Producer({"bootstrap.servers": turn.bootstrap, "transactional.id": "soak", "log_level": 3})
    producer.init_transactions()
    with turn.topic() as topic:
        for number in range(turn.scale.at_most(100)):
            producer.begin_transaction()
            producer.produce(topic, b"x" * 100)
            _finish(producer, number)
    time.sleep(_PAUSE_S)


def _finish(producer: Producer, number: int) -> None:
    end: Callable[[], None] = producer.abort_transaction if number % 10 == 9 else producer.commit_transaction
    end()


def _group(turn: Turn) -> None:
    with turn.topic(partitions=4) as topic:
        producer = Producer({"bootstrap.servers": turn.bootstrap, "log_level": 3})
        for _ in range(1_000):
            producer.produce(topic, b"x" * 100)
        producer.flush()
        consumer = Consumer(
            {
                "bootstrap.servers": turn.bootstrap,
                "group.id": "soak",
                "auto.offset.reset": "earliest",
                "log_level": 3,
            }
        )
        consumer.subscribe([topic])
        got = 0
        while got < 1_000:
            got += len(consumer.consume(1_000, timeout=30.0))
        consumer.close()
    time.sleep(_PAUSE_S)


_STEADY = (AtMost(1.1),)
PARTS = [
    Part(
        name="soak",
        doc="Mixed load for an hour: the last third of it beside the first",
        measures=(
            Measure("soak-p50-growth", "times", False, goals=_STEADY),
            Measure("soak-p99-growth", "times", False, goals=(AtMost(1.25),)),
            Measure("soak-memory-growth", "times", False, goals=_STEADY),
            Measure("soak-files-growth", "times", False, goals=_STEADY),
            Measure("soak-threads-growth", "times", False, goals=_STEADY),
            Measure("soak-memory", "MB", False, goals=(AtMost(150.0),)),
        ),
        run=soak,
        server=Server.FRESH,
        rounds=1,
        quick=True,
        not_for=dict.fromkeys(("kafka", "kfake", "tansu"), "the soak asks whether kstream stays as it is"),
    )
]
