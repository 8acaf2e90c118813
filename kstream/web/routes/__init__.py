"""Everything that is offered, one file for each kind of thing."""

from __future__ import annotations

from kstream.web.operation import Operation
from kstream.web.routes import (
    about,
    clock,
    faults,
    groups,
    queues,
    records,
    snapshots,
    stats,
    topics,
    trace,
    waiting,
)

OPERATIONS: tuple[Operation, ...] = (
    *about.OPERATIONS,
    *stats.OPERATIONS,
    *topics.OPERATIONS,
    *records.OPERATIONS,
    *groups.OPERATIONS,
    *queues.OPERATIONS,
    *waiting.OPERATIONS,
    *clock.OPERATIONS,
    *faults.OPERATIONS,
    *snapshots.OPERATIONS,
    *trace.OPERATIONS,
)
