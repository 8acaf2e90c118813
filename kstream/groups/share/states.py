"""The states of a share group, what they mean and how they are left."""

from __future__ import annotations

from enum import StrEnum

from kstream.groups.consumer.states import Transition


class ShareState(StrEnum):
    """What a group is doing. The values are what ShareGroupDescribe and ListGroups say."""

    EMPTY = "Empty"
    """Nobody is a member. What it has acknowledged is kept, for as long as nobody deletes the group."""

    STABLE = "Stable"
    """It has members. Whether they know of the newest assignment does not matter: a partition may be
    consumed by several, so nobody has to give it up before another gets it."""

    DEAD = "Dead"
    """It does not exist. No group object has this state."""


_EMPTY, _STABLE, _DEAD = ShareState

GROUP_TRANSITIONS: tuple[Transition, ...] = (
    Transition(_EMPTY, _STABLE, "the first member joins"),
    Transition(_EMPTY, _DEAD, "deleted"),
    Transition(_STABLE, _EMPTY, "the last member left or failed"),
)
