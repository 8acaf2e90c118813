"""Timers of consumer groups, each of one member."""

from __future__ import annotations

from kstream.coordinator.outcome import Outcome, TimerKey

SESSION = "consumer-session"
"""The member has not been heard of for its session timeout."""
REBALANCE = "consumer-rebalance"
"""It has not given up what it was told to within its rebalance timeout."""
JOIN = "consumer-join"
"""A classic member was told to join again, and has not within its rebalance timeout."""
SYNC = "consumer-sync"
"""A classic member has joined, and has not asked for its assignment within its rebalance timeout."""

KINDS = (SESSION, REBALANCE, JOIN, SYNC)


def session_key(group_id: str, member_id: str) -> TimerKey:
    return (SESSION, group_id, member_id)


def rebalance_key(group_id: str, member_id: str) -> TimerKey:
    return (REBALANCE, group_id, member_id)


def join_key(group_id: str, member_id: str) -> TimerKey:
    return (JOIN, group_id, member_id)


def sync_key(group_id: str, member_id: str) -> TimerKey:
    return (SYNC, group_id, member_id)


def cancel_timers(group_id: str, member_id: str, out: Outcome) -> None:
    """A member is none any more."""
    for kind in KINDS:
        out.timers[(kind, group_id, member_id)] = None
