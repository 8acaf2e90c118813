"""What an operation of a coordinator decided."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from kstream.wire.schema import Message

TimerKey = tuple[Hashable, ...]
"""What a timer is for: its kind, then whose it is. Setting a key again moves its deadline."""


class CoordinatorRecord(NamedTuple):
    """One record of a coordinator's topic. A value of None deletes what the key stands for."""

    key: Message
    value: Message | None
    value_version: int = 0
    """The version of its schema that the value is written in."""


class Notice(NamedTuple):
    """An effect: something an operator may want to read in the log. The only one that classic groups have."""

    text: str


class Outcome:
    """Records to append and replay, replies to send once they are written, timers to set, effects.

    `replies` pairs an answer with the token that its request came with; a request whose token is not there
    goes on waiting, and a later outcome answers it. `timers` maps a key to a delay in milliseconds from now,
    or to None, which cancels it. `effects` are notices, and what the coordinator's own runtime knows how to
    carry out, once the records are written.
    """

    __slots__ = ("effects", "records", "replies", "timers")

    def __init__(self) -> None:
        self.records: list[CoordinatorRecord] = []
        self.replies: list[tuple[object, object]] = []
        self.timers: dict[TimerKey, int | None] = {}
        self.effects: list[object] = []

    def reply(self, token: object, response: object) -> Outcome:
        """Add an answer; returns itself, for operations that end so."""
        self.replies.append((token, response))
        return self

    def __repr__(self) -> str:
        return (
            f"Outcome(records={self.records!r}, replies={self.replies!r}, timers={self.timers!r}, "
            f"effects={self.effects!r})"
        )
