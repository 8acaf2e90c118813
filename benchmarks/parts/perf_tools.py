"""The cross-check: Kafka's own tools do the work in bulk, so that no generator of ours is trusted alone."""

from __future__ import annotations

import re

from benchmarks.part import Measure, Part, Turn, Values
from benchmarks.scale import KIB
from compat.kafka_tools import run_tool

_MEGABYTE = 1 << 20  # what the tools call MB


def perf_tools(turn: Turn) -> Values:
    """`kafka-producer-perf-test` and `kafka-consumer-perf-test`, 1 KB records, the Java client's defaults."""
    records = turn.scale.bulk_bytes // KIB
    with turn.topic() as topic:
        # The Java client settles during a run: the first half would be the JVM's warm-up.
        work = ("--topic", topic, "--record-size", str(KIB), "--throughput", "-1")
        sent = _tool(
            "ProducerPerformance",
            *work,
            *("--num-records", str(records), "--warmup-records", str(records // 4)),
            *("--bootstrap-server", turn.bootstrap, "--command-property", "acks=1"),
        )
        rates = re.findall(r"\(([\d.]+) MB/sec\)", sent)
        got = _tool(
            "ConsumerPerformance",
            *("--bootstrap-server", turn.bootstrap, "--topic", topic),
            *("--num-records", str(records), "--timeout", "60000"),
        )
    fields = [each.strip() for each in got.strip().splitlines()[-1].split(",")]
    fetch_mb_per_s = float(fields[8])  # fetch.MB.sec: without the time in which the group gathers
    return {
        "perf-produce-1k": float(rates[-1]) * _MEGABYTE / 1e6,
        "perf-fetch-1k": fetch_mb_per_s * _MEGABYTE / 1e6,
    }


def _tool(name: str, *arguments: str) -> str:
    done = run_tool(name, *arguments)
    if done.returncode != 0:
        raise RuntimeError(f"{name}: {(done.stderr or done.stdout)[-1000:]}")
    return done.stdout


PARTS = [
    Part(
        name="perf-tools",
        doc="The cross-check: Kafka's own producer and consumer performance tools, records of 1,024 bytes",
        measures=(
            Measure("perf-produce-1k", "MB/s", True),
            Measure("perf-fetch-1k", "MB/s", True),
        ),
        run=perf_tools,
        rounds=2,
        not_for={"tansu": "was not compared"},
    )
]
