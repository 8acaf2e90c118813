"""What share workers wrote down, and whether a share group may have done that.

Each life of a worker has a history of its own. A record may come more than once: when who had it died, let it
go or was too slow. What may not be:

- that nobody was ever given a record, or that one is neither settled nor was with somebody who died;
- that a record comes again after somebody was told that it is settled. A worker may still show what it was
  given before, from its own buffer: so this counts for lives that began after, and for all once the lock is
  over;
- that it is settled twice;
- that it comes more often than the limit. Deliveries that a killed server had not written down are not
  counted by it (Kafka's are not, either), so each kill may repeat one.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

Place = tuple[int, int]
"""Partition and offset."""


class Event(NamedTuple):
    """What a worker told of one record: that it got it, or what became of it (accept, release, reject)."""

    what: str
    partition: int
    offset: int
    delivery_count: int
    value: str
    at_ms: int

    @property
    def place(self) -> Place:
        """Which record."""
        return self.partition, self.offset

    @property
    def is_settled(self) -> bool:
        """Whether the record may never come again."""
        return self.what in ("accept", "reject")


@dataclass
class Life:
    """One process of a worker, from `began_ms` on. `is_killed`: it had no time to tell what it knew."""

    worker: str
    began_ms: int
    is_killed: bool = False
    events: list[Event] = field(default_factory=list)


class Bounds(NamedTuple):
    """What the run was like: the group's configuration, and when the server was killed."""

    delivery_count_max: int
    lock_ms: int
    server_kills_ms: Sequence[int] = ()
    untold_ms: int = 15_000
    """How long after a delivery a kill of the server may leave its worker without an answer."""


@dataclass
class Verdict:
    """What histories come to; `faults` is empty where all is well."""

    faults: list[str] = field(default_factory=list)
    deliveries: int = 0
    settled: int = 0
    untold: int = 0
    """Records of which nobody alive was told that they are settled; the group says so all the same."""
    most_deliveries: int = 0


def events_in(path: Path) -> list[Event]:
    """What a life wrote; a line that it could not end is left out."""
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    return [Event(*json.loads(line)) for line in lines if line.startswith("[") and line.endswith("]")]


def check(lives: Iterable[Life], produced: Mapping[Place, str], bounds: Bounds) -> Verdict:
    """Hold what all lives told against what was produced."""
    verdict = Verdict()
    deliveries: dict[Place, list[tuple[Event, Life]]] = defaultdict(list)
    settlements: dict[Place, list[tuple[Event, Life]]] = defaultdict(list)
    for life in lives:
        for event in life.events:
            if event.what == "got":
                deliveries[event.place].append((event, life))
            elif event.is_settled:
                settlements[event.place].append((event, life))
    for place in sorted({*deliveries, *settlements} - produced.keys()):
        verdict.faults.append(f"{place} was delivered and never produced")
    for place, value in produced.items():
        got, settled = deliveries[place], settlements[place]
        verdict.deliveries += len(got)
        verdict.settled += bool(settled)
        verdict.untold += not settled
        verdict.most_deliveries = max(verdict.most_deliveries, len(got))
        verdict.faults += [
            f"{place} {value}: {fault}"
            for fault in (*_limit_faults(got, bounds), *_settling_faults(got, settled, bounds))
        ]
        if any(event.value != value for event, _ in got):
            verdict.faults.append(f"{place} {value}: came as {sorted({event.value for event, _ in got})}")
    return verdict


def _limit_faults(got: Sequence[tuple[Event, Life]], bounds: Bounds) -> Iterable[str]:
    most = max((event.delivery_count for event, _ in got), default=0)
    if most > bounds.delivery_count_max:
        yield f"delivered for the {most}th time"
    if len(got) > bounds.delivery_count_max + len(bounds.server_kills_ms):
        yield f"delivered {len(got)} times"


def _settling_faults(
    got: Sequence[tuple[Event, Life]], settled: Sequence[tuple[Event, Life]], bounds: Bounds
) -> Iterable[str]:
    if not got:
        yield "never delivered"
    elif not settled:
        if not any(_may_be_untold(event, life, bounds) for event, life in got):
            yield "given up without need, or forgotten"
        return
    if len(settled) > 1:
        yield f"settled {len(settled)} times, by {', '.join(life.worker for _, life in settled)}"
    for told, _ in settled:
        for event, life in got:
            is_new = life.began_ms > told.at_ms
            if is_new or event.at_ms > told.at_ms + bounds.lock_ms:
                yield f"settled, and {event.at_ms - told.at_ms} ms later delivered to {life.worker}"


def _may_be_untold(event: Event, life: Life, bounds: Bounds) -> bool:
    """Whether who got it may have settled it unheard, or have been the last to get it."""
    return (
        life.is_killed
        or event.delivery_count >= bounds.delivery_count_max
        or any(
            event.at_ms <= killed_ms + 1000 <= event.at_ms + bounds.untold_ms
            for killed_ms in bounds.server_kills_ms
        )
    )
