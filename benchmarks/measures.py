"""What is measured, under which name, in which unit, and which ratio is the floor."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

REFERENCE = "kafka"


@dataclass(frozen=True)
class Measure:
    """One line of the table. `floor` is the ratio to Kafka that kstream owes; `limit`, a bound of its own."""

    name: str
    unit: str
    higher_is_better: bool
    floor: float | None = None
    limit: float | None = None


MEASURES = {
    each.name: each
    for each in [
        Measure("produce-1k", "MB/s", True, floor=1.0),
        Measure("fetch-1k", "MB/s", True, floor=1.5),
        Measure("fetch-1k-librdkafka", "MB/s", True),
        Measure("produce-100", "records/s", True, floor=1.0),
        Measure("fetch-100", "records/s", True, floor=1.2),
        Measure("fetch-100-librdkafka", "records/s", True),
        Measure("requests", "requests/s", True, floor=2.0),
        Measure("latency-p50", "µs", False, floor=1.0),
        Measure("latency-p99", "µs", False, floor=1.0),
        Measure("start", "s", False, limit=0.8),
        Measure("memory-idle", "MB", False, limit=60.0),
        Measure("memory-peak", "MB", False),
        Measure("memory-after", "MB", False, limit=150.0),
    ]
}


@dataclass
class Results:
    """Values by measure and peer, in the order in which they were taken, and server time beside them."""

    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    server_cpu: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, measure: str, peer: str, value: float, *, server_cpu_seconds: float | None = None) -> None:
        """One value more; `server_cpu_seconds` is what the server used for it."""
        self.values.setdefault(measure, {}).setdefault(peer, []).append(value)
        if server_cpu_seconds is not None:
            self.server_cpu.setdefault(measure, {}).setdefault(peer, []).append(server_cpu_seconds)

    def median(self, measure: str, peer: str) -> float | None:
        """The median, or None where nothing was measured."""
        taken = self.values.get(measure, {}).get(peer)
        return statistics.median(taken) if taken else None

    def ratio(self, measure: str) -> float | None:
        """How many times better than Kafka kstream is, by medians; below 1 is worse."""
        ours, reference = self.median(measure, "kstream"), self.median(measure, REFERENCE)
        if not ours or not reference:
            return None
        return ours / reference if MEASURES[measure].higher_is_better else reference / ours

    def is_met(self, measure: str) -> bool | None:
        """Whether floor or limit is kept; None where there is none, or nothing to compare with."""
        known = MEASURES[measure]
        ratio, ours = self.ratio(measure), self.median(measure, "kstream")
        if known.floor is not None and ratio is not None:
            return ratio >= known.floor
        if known.limit is not None and ours is not None:
            return ours <= known.limit
        return None


def spread(values: Sequence[float]) -> float:
    """Half the distance between the extremes, as a share of the median."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / 2 / middle if middle else 0.0
