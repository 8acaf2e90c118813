"""The states of a consumer group and of its members, what they mean and how they are left.

A group's state is not kept: it follows from its epochs and its members, and can change with every record.
So these tables forbid nothing by themselves; tests hold every change that happens against them.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import NamedTuple


class ConsumerState(StrEnum):
    """What a group is doing. The values are what ConsumerGroupDescribe and ListGroups say."""

    EMPTY = "Empty"
    """Nobody is a member. It may have committed offsets; when they have expired it goes away."""

    ASSIGNING = "Assigning"
    """Subscriptions, members or topics changed (the group epoch is ahead) and nobody has computed the target
    assignment since: a heartbeat will, once the assignment interval has passed."""

    RECONCILING = "Reconciling"
    """There is a target assignment, and members are on their way to it: they revoke first, then get."""

    STABLE = "Stable"
    """Every member has what the target assignment gives it."""

    DEAD = "Dead"
    """It does not exist. No group object has this state."""


class MemberState(IntEnum):
    """Where a member is on its way to the target assignment. The values are those of its record."""

    STABLE = 0
    """It has all that it was given, in its epoch."""

    UNREVOKED_PARTITIONS = 1
    """It must give partitions up, and stays in its epoch until its heartbeat shows that it has. If that takes
    longer than its rebalance timeout it is no member any more."""

    UNRELEASED_PARTITIONS = 2
    """It is in the newest epoch and waits for partitions that others have not given up."""

    UNKNOWN = 127
    """A state that a newer broker wrote: such a member is fenced and joins anew."""


class Transition(NamedTuple):
    """One arrow of a picture."""

    source: StrEnum | IntEnum
    target: StrEnum | IntEnum
    when: str


_EMPTY, _ASSIGNING, _RECONCILING, _STABLE, _DEAD = ConsumerState

GROUP_TRANSITIONS: tuple[Transition, ...] = (
    Transition(_EMPTY, _STABLE, "the first member joins"),
    Transition(_EMPTY, _DEAD, "deleted, taken over by a classic member, or its last offset expired"),
    Transition(_STABLE, _ASSIGNING, "members, subscriptions or topics change"),
    Transition(_STABLE, _RECONCILING, "the same, and the target is computed at once"),
    Transition(_ASSIGNING, _RECONCILING, "a heartbeat computes the target"),
    Transition(_ASSIGNING, _STABLE, "the target asks nothing of anybody else"),
    Transition(_RECONCILING, _STABLE, "the last member has what it was given"),
    Transition(_RECONCILING, _ASSIGNING, "members, subscriptions or topics change"),
    Transition(_STABLE, _EMPTY, "the last member left or failed"),
    Transition(_ASSIGNING, _EMPTY, "the last member left or failed"),
    Transition(_RECONCILING, _EMPTY, "the last member left or failed"),
    Transition(_STABLE, _DEAD, "a classic group again: its last consumer member left"),
    Transition(_ASSIGNING, _DEAD, "a classic group again: its last consumer member left"),
    Transition(_RECONCILING, _DEAD, "a classic group again: its last consumer member left"),
)

_SETTLED, _UNREVOKED, _UNRELEASED, _ = MemberState

MEMBER_TRANSITIONS: tuple[Transition, ...] = (
    Transition(_SETTLED, _UNREVOKED, "the target takes partitions away"),
    Transition(_SETTLED, _UNRELEASED, "the target gives what others still have"),
    Transition(_UNREVOKED, _UNRELEASED, "it has revoked, others have not"),
    Transition(_UNREVOKED, _SETTLED, "it has revoked, and gets all that the target gives"),
    Transition(_UNRELEASED, _SETTLED, "the others have revoked"),
    Transition(_UNRELEASED, _UNREVOKED, "a newer target takes partitions away"),
)


def picture(transitions: tuple[Transition, ...]) -> str:
    """A table as a Mermaid state diagram, as the documentation shows it."""
    lines = ["stateDiagram-v2", f"    [*] --> {_label(transitions[0].source)}"]
    lines += [f"    {_label(each.source)} --> {_label(each.target)} : {each.when}" for each in transitions]
    return "\n".join(lines)


def _label(state: StrEnum | IntEnum) -> str:
    if isinstance(state, MemberState):
        return state.name.title().replace("_", "").removesuffix("Partitions")
    return str(state)
