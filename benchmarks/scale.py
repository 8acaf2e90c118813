"""How much of everything a run does."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024


@dataclass(frozen=True)
class Scale:
    """How much of everything. A part may take less of it for slow work, never more."""

    name: str = "full"
    alternations: int = 5
    bulk_bytes: int = 512_000_000
    cold_bytes: int = 5_000_000_000  # read from the disk again and again
    small_records: int = 3_000_000
    requests: int = 40_000
    latencies: int = 4_000
    seconds: float = 5.0  # of work at a fixed rate
    memory_bytes: int = 2_000_000_000
    settle_bytes: int = 1_500_000_000
    connections_active: int = 1_000
    soak_seconds: float = 3_600.0
    segments: int = 10_000
    partitions: int = 10_000
    keyed_records: int = 1_000_000

    def at_most(self, count: int) -> int:
        """`count` of something, and little of it in a quick run."""
        return count if self.name != "quick" else max(1, min(count, 16))


QUICK = Scale(
    name="quick",
    alternations=1,
    bulk_bytes=2_000_000,
    cold_bytes=2_000_000,
    small_records=20_000,
    requests=500,
    latencies=200,
    seconds=0.5,
    memory_bytes=20_000_000,
    settle_bytes=0,
    connections_active=20,
    soak_seconds=3.0,
    segments=200,
    partitions=50,
    keyed_records=20_000,
)
# For docs/benchmarks.md: everything but the soak within forty minutes on two quiet cores.
DOCS = Scale(
    name="docs",
    alternations=3,
    bulk_bytes=256_000_000,
    cold_bytes=1_000_000_000,
    small_records=1_500_000,
    requests=20_000,
    seconds=2.0,
    segments=5_000,
    keyed_records=500_000,
    memory_bytes=1_000_000_000,
    settle_bytes=500_000_000,
    soak_seconds=600.0,
)
SCALES = {each.name: each for each in (QUICK, DOCS, Scale())}
