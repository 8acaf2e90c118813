"""A change of records' states on its way into the stored state."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from kstream.shares.in_flight import Run
from kstream.shares.state_batches import StateBatch
from kstream.shares.states import RecordState


class Cause(StrEnum):
    """Why a record is given up. The values are what the header of a dead letter says (KIP-1191)."""

    REJECTED = "Offset rejected by client."
    EXPIRED = "Record expired."
    """Not of Kafka's: `kstream.queue.ttl.ms`."""
    DELIVERED_TOO_OFTEN = "Offset delivery count exceeded the threshold."


class DeadLetters(NamedTuple):
    """Neighbouring records that are to become dead letters, and then archived."""

    first_offset: int
    last_offset: int
    delivery_count: int
    cause: Cause


class Change:
    """Runs that change together. What is in `state_batches` must be written before the change counts;
    then, or when that has failed, `ShareWindow.settle` ends it.
    """

    __slots__ = ("dead_letters", "has_renewed", "ranges", "state_batches")

    def __init__(self) -> None:
        self.state_batches: list[StateBatch] = []
        self.dead_letters: list[DeadLetters] = []
        self.ranges: list[tuple[int, int]] = []
        """Offsets of runs that wait for this change; empty for one that counts at once."""
        self.has_renewed = False
        """Whether locks were renewed beside it."""

    def add(self, run: Run, cause: Cause | None) -> None:
        """Store a run as it is from now on."""
        self.state_batches.append(StateBatch(run.first, run.last, int(run.state), run.delivery_count))
        if run.state is RecordState.ARCHIVING:
            assert cause is not None
            self.dead_letters.append(DeadLetters(run.first, run.last, run.delivery_count, cause))

    def hold(self, run: Run, state: RecordState, member_id: str) -> None:
        """Keep a run's former state and owner until the change is settled."""
        run.change = self
        run.undo = (state, member_id)
        self.ranges.append((run.first, run.last))
