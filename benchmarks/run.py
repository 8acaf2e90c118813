"""One run of the benchmark: how much of everything, and where results go."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import Load
from benchmarks.measures import MEASURES, Results

CEILING = "ceiling"  # the peer that stands for the load generator's own limit
KIB = 1024


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    alternations: int = 5
    bulk_bytes: int = 512_000_000
    small_records: int = 3_000_000
    requests: int = 40_000
    latencies: int = 4_000
    memory_bytes: int = 2_000_000_000
    settle_bytes: int = 1_500_000_000


QUICK = Scale(1, 2_000_000, 20_000, 500, 200, 20_000_000, 0)


@dataclass
class Run:
    """What every part needs: generator, scale, folder for the servers, and where results go."""

    load: Load
    scale: Scale
    folder: Path
    results: Results
    is_warming: bool = False

    def add(self, measure: str, peer: str, value: float, *, server_cpu_seconds: float | None = None) -> None:
        """Take one value, unless this is the warm-up; either way it is told."""
        note = "  (warm-up, not counted)" if self.is_warming else ""
        say(f"  {peer:8} {measure:20} {value:12,.1f} {MEASURES[measure].unit}{note}")
        if not self.is_warming:
            self.results.add(measure, peer, value, server_cpu_seconds=server_cpu_seconds)


def say(line: str) -> None:
    """Progress, on stderr."""
    print(line, file=sys.stderr, flush=True)
