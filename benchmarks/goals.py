"""What a measure owes, as data: `Measure.goals` holds these, and the docs show them beside the values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

KSTREAM = "kstream"
CEILING = "ceiling"  # the peer that stands for the load generator's own limit
MACHINE = "machine"  # the peer that stands for the machine's own limits
OTHERS = "the best other peer"  # in `Times`: the best of those that are neither kstream nor Kafka
ANY = "every peer"  # in `Times`: the best of all, Kafka among them


class Medians(Protocol):
    """What a goal asks of the results."""

    def median(self, measure: str, peer: str) -> float | None:
        """The median, or None where nothing was measured."""

    def better(self, measure: str, peer: str, *, than: str | None = None) -> float | None:
        """How many times better kstream is than `peer` (at its measure `than`); below 1 is worse."""

    def best_peer(self, measure: str, *, with_kafka: bool) -> str | None:
        """The best peer beside kstream and the limits; None if there is none."""


@dataclass(frozen=True)
class Times:
    """At least `factor` times as good as `peer`: a peer's name, `OTHERS`, `ANY`, `CEILING` or `MACHINE`.

    `of` names another measure to compare with, such as a limit of the machine; by default it is the same.
    """

    factor: float
    peer: str
    of: str | None = None

    def text(self) -> str:
        """For the table."""
        if self.peer in (CEILING, MACHINE, KSTREAM):
            whose = {CEILING: "the client's ceiling", MACHINE: self.of, KSTREAM: self.of}[self.peer]
            return f"≥ {self.factor:.0%} of {whose}"
        return f"≥ {self.factor:g} × {self.peer}"

    def value(self, measure: str, results: Medians) -> float | None:
        """How many times as good it is."""
        peer: str | None = self.peer
        if self.peer in (OTHERS, ANY):
            peer = results.best_peer(measure, with_kafka=self.peer == ANY)
        return None if peer is None else results.better(measure, peer, than=self.of)

    def is_met(self, measure: str, results: Medians) -> bool | None:
        """None where nothing was measured to compare with."""
        value = self.value(measure, results)
        return None if value is None else value >= self.factor


@dataclass(frozen=True)
class AtMost:
    """kstream's own median is at most this, in the measure's unit."""

    limit: float

    def text(self) -> str:
        """For the table; the unit stands in its own column."""
        return f"≤ {self.limit:g}"

    def value(self, measure: str, results: Medians) -> float | None:
        """What kstream has."""
        return results.median(measure, KSTREAM)

    def is_met(self, measure: str, results: Medians) -> bool | None:
        """None where it was not measured."""
        value = self.value(measure, results)
        return None if value is None else value <= self.limit


@dataclass(frozen=True)
class AtLeast:
    """kstream's own median is at least this, in the measure's unit."""

    limit: float

    def text(self) -> str:
        """For the table."""
        return f"≥ {self.limit:g}"

    def value(self, measure: str, results: Medians) -> float | None:
        """What kstream has."""
        return results.median(measure, KSTREAM)

    def is_met(self, measure: str, results: Medians) -> bool | None:
        """None where it was not measured."""
        value = self.value(measure, results)
        return None if value is None else value >= self.limit


@dataclass(frozen=True)
class Either:
    """One of two suffices."""

    first: Times | AtMost
    second: Times | AtMost

    def text(self) -> str:
        """For the table."""
        return f"{self.first.text()} or {self.second.text()}"

    def value(self, measure: str, results: Medians) -> float | None:
        """The value of the one that is met, else of the first."""
        chosen = self.second if self.second.is_met(measure, results) else self.first
        return (self.first if self.first.is_met(measure, results) else chosen).value(measure, results)

    def is_met(self, measure: str, results: Medians) -> bool | None:
        """None where neither can be told."""
        known = [each.is_met(measure, results) for each in (self.first, self.second)]
        return True if True in known else False if False in known else None


Goal = Times | AtMost | AtLeast | Either
