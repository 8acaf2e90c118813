"""From produce to consume: end to end, fan-out, and consumers that wait on many partitions."""

from __future__ import annotations

import time

from benchmarks.goals import ANY, Times
from benchmarks.load import Sample
from benchmarks.part import Measure, Part, Turn, Values
from benchmarks.scale import KIB

_SIZE = 100
_RATE = 500.0  # records a second: far below what any peer can do
_CONSUMERS = 50
_FAN_OUT_BATCH = 64
_MIXED_CONSUMERS = 4
_TAILED_PARTITIONS = 1000


def _tail(turn: Turn, topic: str, *, partitions: int = 1, consumers: int = 1) -> Sample:
    batches = int(_RATE * turn.scale.seconds)
    return turn.load.wire_stream(
        turn.bootstrap,
        topic,
        batches=batches,
        size=_SIZE,
        consumers=consumers,
        partitions=partitions,
        rate=_RATE,
    )


def end_to_end(turn: Turn) -> Values:
    """From when a record is due to be sent until a consumer in a long poll has it."""
    with turn.topic() as topic:
        sample = turn.on_server("end-to-end-p50", lambda: _tail(turn, topic))
    return {
        "end-to-end-p50": sample.p50_us,
        "end-to-end-p99": sample.p99_us,
        "end-to-end-p999": sample.p999_us,
    }


def fan_out(turn: Turn) -> Values:
    """One producer as fast as it goes; every consumer gets every record."""
    consumers = turn.scale.at_most(_CONSUMERS)
    batches = max(10, turn.scale.bulk_bytes * 3 // (consumers * _FAN_OUT_BATCH * KIB))
    with turn.topic() as topic:
        sample = turn.on_server(
            "fan-out",
            lambda: turn.load.wire_stream(
                turn.bootstrap, topic, batches=batches, batch=_FAN_OUT_BATCH, size=KIB, consumers=consumers
            ),
        )
    return {"fan-out": sample.mb_per_second}


def tailing(turn: Turn) -> Values:
    """One consumer waits on all partitions at once, in a fetch session (KIP-227) where the peer has them."""
    partitions = turn.scale.at_most(_TAILED_PARTITIONS)
    with turn.topic(partitions) as topic:
        sample = turn.on_server("tail-1000-p50", lambda: _tail(turn, topic, partitions=partitions))
    return {"tail-1000-p50": sample.p50_us, "tail-1000-p99": sample.p99_us}


def mixed(turn: Turn) -> Values:
    """End to end to some consumers, while a producer and a consumer in bulk take what they can."""
    records = turn.scale.bulk_bytes // KIB // 4

    def bulk() -> None:
        with turn.topic() as topic:
            turn.load.produce(turn.bootstrap, topic, records=records, size=KIB)
            turn.load.bare_fetch(turn.bootstrap, topic, records=records)
            moved.append(2 * records * KIB)

    moved: list[int] = []
    began = time.perf_counter()
    with turn.topic() as topic, turn.beside(bulk):
        sample = _tail(turn, topic, consumers=_MIXED_CONSUMERS)
    rate = sum(moved) / 1e6 / (time.perf_counter() - began)
    return {"mixed-p50": sample.p50_us, "mixed-p99": sample.p99_us, "mixed-bulk": rate}


PARTS = [
    Part(
        name="end-to-end",
        doc="500 records of 100 bytes a second, from due to be sent until a waiting consumer has each",
        measures=tuple(
            Measure(f"end-to-end-{each}", "µs", False, goals=(Times(1.0, ANY),))
            for each in ("p50", "p99", "p999")
        ),
        run=end_to_end,
        quick=True,
    ),
    Part(
        name="fan-out",
        doc="One producer of 64 KB batches and 50 consumers of its partition: bytes delivered",
        measures=(Measure("fan-out", "MB/s", True, goals=(Times(3.0, "kafka"),), limit="limit-sendfile"),),
        run=fan_out,
        quick=True,
    ),
    Part(
        name="tail-1000",
        doc="A consumer waiting on 1,000 partitions, 500 records a second over them: due to delivered",
        measures=(Measure("tail-1000-p50", "µs", False), Measure("tail-1000-p99", "µs", False)),
        run=tailing,
        rounds=3,
        quick=True,
    ),
    Part(
        name="mixed",
        doc="500 records a second to 4 waiting consumers, beside producing and fetching in bulk",
        measures=(
            Measure("mixed-p50", "µs", False),
            Measure("mixed-p99", "µs", False),
            Measure("mixed-bulk", "MB/s", True),
        ),
        run=mixed,
        rounds=3,
    ),
]
