"""The states of a transaction, and how each is left: the one table of transitions."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class TransactionState(IntEnum):
    """What a transactional id is doing. The values stand in the records, `label` in answers."""

    EMPTY = 0
    """A producer has this id, and has not begun a transaction with its epoch."""

    ONGOING = 1
    """A transaction is open: it has partitions, or groups whose offsets it will commit. It ends with EndTxn,
    with its timeout, or with a new producer of the same id."""

    PREPARE_COMMIT = 2
    """Decided: it is committed, whatever happens now. Markers are being written to its partitions."""

    PREPARE_ABORT = 3
    """Decided: it is aborted. Markers are being written to its partitions."""

    COMPLETE_COMMIT = 4
    """Every partition has its marker. The next transaction may begin."""

    COMPLETE_ABORT = 5
    """Every partition has its marker. The next transaction may begin."""

    DEAD = 6
    """The id was not used for `transactional.id.expiration.ms`. Nothing has this state: it is gone."""

    PREPARE_EPOCH_FENCE = 7
    """In Apache Kafka, the moment before an open transaction of a fenced producer is aborted. Nothing has
    this state here: both are one step."""

    @property
    def label(self) -> str:
        """What DescribeTransactions and ListTransactions call it."""
        return _LABELS[self]

    @property
    def is_prepared(self) -> bool:
        """Whether the transaction is decided, and not all of its partitions know yet."""
        return self in (TransactionState.PREPARE_COMMIT, TransactionState.PREPARE_ABORT)


class Transition(NamedTuple):
    """One arrow of the picture."""

    source: TransactionState
    target: TransactionState
    when: str


_EMPTY, _ONGOING, _PREPARE_COMMIT, _PREPARE_ABORT, _COMMITTED, _ABORTED, _DEAD, _ = TransactionState
_LABELS = {state: "".join(word.title() for word in state.name.split("_")) for state in TransactionState}

BY_LABEL = {label: state for state, label in _LABELS.items()}
"""States by what ListTransactions calls them."""

TRANSITIONS: tuple[Transition, ...] = (
    Transition(_EMPTY, _EMPTY, "InitProducerId: a new epoch"),
    Transition(_EMPTY, _ONGOING, "a partition or a group is added"),
    Transition(_EMPTY, _PREPARE_ABORT, "EndTxn (5+) aborts before anything was added"),
    Transition(_EMPTY, _DEAD, "unused for too long"),
    Transition(_ONGOING, _ONGOING, "a partition or a group is added"),
    Transition(_ONGOING, _PREPARE_COMMIT, "EndTxn commits"),
    Transition(_ONGOING, _PREPARE_ABORT, "EndTxn aborts, time is up, or a new producer has the id"),
    Transition(_PREPARE_COMMIT, _COMMITTED, "all markers are written"),
    Transition(_PREPARE_ABORT, _ABORTED, "all markers are written"),
    Transition(_COMMITTED, _EMPTY, "InitProducerId: a new epoch"),
    Transition(_COMMITTED, _ONGOING, "a partition or a group is added"),
    Transition(_COMMITTED, _PREPARE_ABORT, "EndTxn (5+) aborts before anything was added"),
    Transition(_COMMITTED, _DEAD, "unused for too long"),
    Transition(_ABORTED, _EMPTY, "InitProducerId: a new epoch"),
    Transition(_ABORTED, _ONGOING, "a partition or a group is added"),
    Transition(_ABORTED, _PREPARE_ABORT, "EndTxn (5+) aborts before anything was added"),
    Transition(_ABORTED, _DEAD, "unused for too long"),
)

ALLOWED = frozenset((transition.source, transition.target) for transition in TRANSITIONS)


def picture() -> str:
    """The table as a Mermaid state diagram, as the documentation shows it."""
    lines = ["stateDiagram-v2", f"    [*] --> {_EMPTY.label} : InitProducerId"]
    lines += [f"    {each.source.label} --> {each.target.label} : {each.when}" for each in TRANSITIONS]
    return "\n".join(lines)
