"""The states of a classic group, and how each is left: the one table of transitions."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class ClassicState(StrEnum):
    """What a group is doing. The values are what DescribeGroups and ListGroups say."""

    EMPTY = "Empty"
    """Nobody is a member. It may have committed offsets; when they have expired it goes away. Also what a
    group is that only commits offsets, and never has members."""

    PREPARING_REBALANCE = "PreparingRebalance"
    """Members are asked to join again. JoinGroup waits here until all have, or the longest rebalance timeout
    of them has passed; who has not joined by then is no member any more. Heartbeats are told to join."""

    COMPLETING_REBALANCE = "CompletingRebalance"
    """A new generation has members, a leader and a protocol. SyncGroup waits here for the leader's
    assignment; who has not sent one within the rebalance timeout is no member any more."""

    STABLE = "Stable"
    """The assignment of this generation is written and handed out."""

    DEAD = "Dead"
    """It does not exist: never did, was deleted, or had nothing left to keep. No group object has it."""


class Transition(NamedTuple):
    """One arrow of the picture."""

    source: ClassicState
    target: ClassicState
    when: str


_EMPTY, _PREPARING, _COMPLETING, _STABLE, _DEAD = ClassicState

TRANSITIONS: tuple[Transition, ...] = (
    Transition(_EMPTY, _PREPARING, "a member joins"),
    Transition(_EMPTY, _DEAD, "deleted, or its last offset expired"),
    Transition(_PREPARING, _COMPLETING, "all have joined, or time is up"),
    Transition(_PREPARING, _EMPTY, "the last member left or did not join"),
    Transition(_COMPLETING, _STABLE, "the leader sent the assignment"),
    Transition(_COMPLETING, _PREPARING, "a member joins, leaves, fails or does not sync"),
    Transition(_STABLE, _PREPARING, "a member joins, leaves, fails or changes; the leader joins again"),
)

ALLOWED = frozenset((transition.source, transition.target) for transition in TRANSITIONS)


def picture() -> str:
    """The table as a Mermaid state diagram, as the documentation shows it."""
    lines = ["stateDiagram-v2", f"    [*] --> {_EMPTY}"]
    lines += [
        f"    {transition.source} --> {transition.target} : {transition.when}" for transition in TRANSITIONS
    ]
    return "\n".join(lines)
