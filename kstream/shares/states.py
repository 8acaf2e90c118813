"""The states of a record that a share group has fetched, and how each is left: the one table of
transitions.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class RecordState(IntEnum):
    """Where a record is between its first delivery and its end. The numbers are those of the stored state."""

    AVAILABLE = 0
    """It may be delivered, for the first time or again."""

    ACQUIRED = 1
    """One member has it, and a lock on it that expires. Nobody else gets it. Never stored: after a
    restart it is available again."""

    ACKNOWLEDGED = 2
    """Processed. Final."""

    ARCHIVING = 3
    """Given up, and on its way to the dead letters (KIP-1191). A restart takes it up again."""

    ARCHIVED = 4
    """Given up: rejected, delivered too often, of an aborted transaction, or no longer in the log. Final."""

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more happens to the record, so that the window's start may pass it."""
        return self is RecordState.ACKNOWLEDGED or self is RecordState.ARCHIVED


class Transition(NamedTuple):
    """One arrow of the picture."""

    source: RecordState
    target: RecordState
    when: str


_AVAILABLE, _ACQUIRED, _ACKNOWLEDGED, _ARCHIVING, _ARCHIVED = RecordState

TRANSITIONS: tuple[Transition, ...] = (
    Transition(_AVAILABLE, _ACQUIRED, "fetched by a member; the delivery count grows"),
    Transition(_AVAILABLE, _ARCHIVED, "no longer in the log, expired, or not for this group"),
    Transition(_AVAILABLE, _ARCHIVING, "expired, with dead letters"),
    Transition(_ACQUIRED, _ACQUIRED, "RENEW: the lock begins anew"),
    Transition(_ACQUIRED, _ACKNOWLEDGED, "ACCEPT"),
    Transition(_ACQUIRED, _AVAILABLE, "RELEASE, the lock expires, or the member leaves"),
    Transition(_ACQUIRED, _ARCHIVED, "REJECT, a gap, an aborted transaction, or one delivery too many"),
    Transition(_ACQUIRED, _ARCHIVING, "as before, with dead letters"),
    Transition(_ARCHIVING, _ARCHIVED, "the dead letter is written, or cannot be"),
)

ALLOWED = frozenset((transition.source, transition.target) for transition in TRANSITIONS)


def picture() -> str:
    """The table as a Mermaid state diagram, as the documentation shows it."""
    lines = ["stateDiagram-v2", f"    [*] --> {_AVAILABLE.name}"]
    lines += [
        f"    {transition.source.name} --> {transition.target.name} : {transition.when}"
        for transition in TRANSITIONS
    ]
    lines += [f"    {state.name} --> [*]" for state in RecordState if state.is_terminal]
    return "\n".join(lines)
