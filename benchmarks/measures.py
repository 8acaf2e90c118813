"""The values taken, by measure and peer, and what is made of them: medians, ratios, spreads."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.goals import CEILING, KSTREAM, MACHINE
from benchmarks.part import Measure

REFERENCE = "kafka"


@dataclass
class Results:
    """Values by measure and peer, in the order in which they were taken, and server time beside them."""

    measures: Mapping[str, Measure]
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

    def better(self, measure: str, peer: str, *, than: str | None = None) -> float | None:
        """How many times better kstream is than `peer` (at its measure `than`); below 1 is worse."""
        ours, theirs = self.median(measure, KSTREAM), self.median(than or measure, peer)
        if not ours or not theirs:
            return None
        return ours / theirs if self.measures[measure].higher_is_better else theirs / ours

    def best_peer(self, measure: str, *, with_kafka: bool) -> str | None:
        """The best peer beside kstream and the limits; None if there is none."""
        skipped = (KSTREAM, CEILING, MACHINE, *(() if with_kafka else (REFERENCE,)))
        medians = {
            peer: statistics.median(taken)
            for peer, taken in self.values.get(measure, {}).items()
            if peer not in skipped and taken
        }
        if not medians:
            return None
        choose = max if self.measures[measure].higher_is_better else min
        return choose(medians, key=lambda peer: medians[peer])

    def share_of_limit(self, measure: str) -> float | None:
        """kstream's median as a share of the machine's own limit, where the measure names one."""
        limit = self.measures[measure].limit
        return None if limit is None else self.better(measure, MACHINE, than=limit)

    def is_met(self, measure: str) -> bool | None:
        """Whether every goal is; None where there is none, or nothing to compare with."""
        told = [goal.is_met(measure, self) for goal in self.measures[measure].goals]
        return False if False in told else True if True in told else None


def spread(values: Sequence[float]) -> float:
    """Half the distance between the extremes, as a share of the median."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / 2 / middle if middle else 0.0
