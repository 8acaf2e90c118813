"""Latency beside heavy work in the same server: a replay from the disk, and a running compaction.

Each turn measures the same requests alone first, and once more while the same bytes are replayed from another
process: disk, processors and the replaying client have the same to do then, so that the difference is the
server's own.
"""

from __future__ import annotations

import time

from benchmarks.canned_fetch import CannedFetch
from benchmarks.cold_files import evict
from benchmarks.goals import ANY, AtMost, Times
from benchmarks.keyed import alter, cleaned_at_s, fill, is_cleaned
from benchmarks.load import Sample
from benchmarks.part import Measure, Part, Server, Turn, Values
from benchmarks.parts.latency import FEW, PERCENTILES, at_rate, percentiles
from benchmarks.scale import KIB

_IN_MEMORY = "it keeps everything in memory, so it has no cold data to replay"
_NO_CLEANER = "it does not compact"
_PARTITIONS = 4
_TIMES = 4
"""How much longer turns are than those of other parts: one stall of the machine's own, 20 ms, would decide
the p99 of two seconds.
"""
_RATE = 2000.0
"""Requests a second: few enough that nobody queues for a processor; and a new server for each turn knows of
no other's rate.
"""


def beside_replay(turn: Turn) -> Values:
    """With a consumer beside it that reads a topic from the disk, again and again."""
    records = turn.scale.cold_bytes // KIB
    with turn.topic() as topic, turn.topic() as replayed:
        turn.load.produce(turn.bootstrap, replayed, records=records, size=KIB)
        folder = turn.data_dir / f"{replayed}-0"
        evict(folder)  # to write a gigabyte out is no part of reading it

        def replay() -> None:
            evict(folder)
            turn.load.bare_fetch(turn.bootstrap, replayed, records=records)

        alone = at_rate(turn, topic, FEW, _RATE, _TIMES)
        with CannedFetch(min(folder.glob("*.log")), replayed) as other:

            def replay_apart() -> None:
                evict(folder)
                turn.load.bare_fetch(other.bootstrap, replayed, records=min(records, other.end_offset))

            with turn.beside(replay_apart):
                apart = at_rate(turn, topic, FEW, _RATE, _TIMES)
        with turn.beside(replay):
            sample = at_rate(turn, topic, FEW, _RATE, _TIMES)
    return {
        **_values("latency-replay", sample, alone),
        "latency-replay-apart-p99": apart.p99_us,
        "latency-replay-p99-times-apart": sample.p99_us / apart.p99_us,
    }


def beside_compaction(turn: Turn) -> Values:
    """While the cleaner compacts some partitions that became compacted all at once."""
    with turn.topic() as topic, turn.topic(_PARTITIONS, segment_bytes="8388608") as keyed:
        fill(turn.bootstrap, keyed, records=turn.scale.keyed_records * 2 * _TIMES, partitions=_PARTITIONS)
        alone = at_rate(turn, topic, FEW, _RATE, _TIMES)
        began_s = time.time()
        alter(turn.bootstrap, keyed, cleanup_policy="compact", min_cleanable_dirty_ratio="0.01")
        sample = at_rate(turn, topic, FEW, _RATE, _TIMES)
        seconds = time.time() - began_s
        folders = [turn.data_dir / f"{keyed}-{index}" for index in range(_PARTITIONS)]
        share = 1.0
        if all(is_cleaned(folder) for folder in folders):
            share = min(1.0, (cleaned_at_s(turn.data_dir) - began_s) / seconds)
    return {**_values("latency-compaction", sample, alone), "latency-compaction-share": share * 100}


def _values(name: str, sample: Sample, alone: Sample) -> dict[str, float]:
    return {**percentiles(name, sample), f"{name}-p99-times": sample.p99_us / alone.p99_us}


def _measures(name: str, times_max: float) -> tuple[Measure, ...]:
    times = Measure(f"{name}-p99-times", "times alone", False, goals=(AtMost(times_max),))
    goals = (Times(1.0, ANY),)
    return (*(Measure(f"{name}-{each}", "µs", False, goals=goals) for each in PERCENTILES), times)


PARTS = [
    Part(
        name="latency-replay",
        doc="One-record requests of 16 connections at a fixed rate, beside a replay of 5 GB from the disk;"
        " p99 as many times that without it, and that beside the same replay from another process",
        measures=(
            *_measures("latency-replay", 2.0),
            Measure("latency-replay-apart-p99", "µs", False),
            Measure(
                "latency-replay-p99-times-apart", "times with the replay apart", False, goals=(AtMost(2.0),)
            ),
        ),
        run=beside_replay,
        rounds=3,
        not_for={"kfake": _IN_MEMORY, "tansu": _IN_MEMORY},
    ),
    Part(
        name="latency-compaction",
        doc="The same beside compaction, and for how much of the time that ran",
        measures=(
            *_measures("latency-compaction", 1.5),
            Measure("latency-compaction-share", "% of the time", True),
        ),
        run=beside_compaction,
        server=Server.FRESH,
        rounds=3,
        not_for={"kfake": _NO_CLEANER, "tansu": _NO_CLEANER},
        settings={"log.cleaner.backoff.ms": "100"},
    ),
]
