"""Timers of share groups, each of one member."""

from __future__ import annotations

from kstream.coordinator.outcome import TimerKey

SESSION = "share-session"
"""The member has not been heard of for its session timeout."""


def session_key(group_id: str, member_id: str) -> TimerKey:
    return (SESSION, group_id, member_id)
