"""Subscriptions by regular expression: when to look for topics that match, and what follows.

Matching goes through all topics, so it is not done in the heartbeat that asks for it: a timer that is due at
once does it, and the next heartbeats see what it found. The timer is set for a new expression, when topics
were created, and after `group.consumer.regex.refresh.interval.ms`; not more often than every ten seconds.
"""

from __future__ import annotations

from enum import Enum, auto

from kstream.coordinator.outcome import CoordinatorRecord, Outcome, TimerKey
from kstream.coordinator.patterns import compile_pattern
from kstream.errors import ApiError
from kstream.groups.cluster import Cluster
from kstream.groups.consumer.consumer_records import (
    ResolvedRegex,
    epoch_record,
    regex_record,
    regex_tombstone,
)
from kstream.groups.consumer.group import ConsumerGroup
from kstream.groups.consumer.member import ConsumerMember
from kstream.groups.consumer.metadata_hash import group_hash

RESOLVE = "consumer-resolve"
"""Kind of the timer."""
_REFRESH_INTERVAL_MS_MIN = 10_000


class RegexChange(Enum):
    """What a member's request changed of its expression."""

    NONE = auto()
    UPDATED = auto()
    """It has another one, of which nobody knows what it matches."""
    RESOLVED = auto()
    """It has another one, or none any more, and it is known what it subscribes to."""


def resolve_key(group_id: str) -> TimerKey:
    return (RESOLVE, group_id)


def change_regex(
    group: ConsumerGroup, old: ConsumerMember, new: ConsumerMember, records: list[CoordinatorRecord]
) -> RegexChange:
    """Note that a member has another expression.

    Raises:
        ApiError: INVALID_REGULAR_EXPRESSION.
    """
    if old.topic_regex == new.topic_regex:
        return RegexChange.NONE
    if old.topic_regex and group.regex_subscribers[old.topic_regex] == 1:
        records.append(regex_tombstone(group.group_id, old.topic_regex))
    if not new.topic_regex:
        return RegexChange.RESOLVED if old.topic_regex else RegexChange.UPDATED
    if group.regex_subscribers[new.topic_regex] == 0:
        compile_pattern(new.topic_regex)
    elif new.topic_regex in group.regexes:
        return RegexChange.RESOLVED
    return RegexChange.UPDATED


def needs_resolving(
    group: ConsumerGroup,
    old: ConsumerMember,
    new: ConsumerMember,
    cluster: Cluster,
    refresh_interval_ms: int,
    now_ms: int,
) -> bool:
    """Whether to look for topics now, with a member in the place of what it was."""
    is_new = bool(new.topic_regex) and group.regex_subscribers[new.topic_regex or ""] == 0
    if not group.regex_subscribers and not is_new:
        return False
    resolved = next(iter(group.regexes.values()), None)
    if resolved is not None and now_ms <= resolved.timestamp_ms + _REFRESH_INTERVAL_MS_MIN:
        return False
    subscribers = group.regex_subscribers.copy()
    for member, count in ((old, -1), (new, 1)):
        if member.topic_regex:
            subscribers[member.topic_regex] += count
    used = +subscribers
    if not used:
        return False
    return (
        is_new
        or len(used) != len(group.regexes)
        or resolved is None
        or resolved.version < cluster.new_topics_version
        or now_ms > resolved.timestamp_ms + refresh_interval_ms
    )


def resolve(group: ConsumerGroup, cluster: Cluster, now_ms: int) -> Outcome:
    """Look for the topics that every expression of the group matches; a new epoch if they are others."""
    out = Outcome()
    found = {
        regex: ResolvedRegex(_matches(regex, cluster), cluster.version, now_ms)
        for regex in group.regex_subscribers
    }
    is_changed = False
    for regex, resolved in found.items():
        known = group.regexes.get(regex)
        is_changed = is_changed or (known.topics if known else frozenset()) != resolved.topics
        out.records.append(regex_record(group.group_id, regex, resolved))
    metadata_hash = group_hash(group.topic_names_with(regexes=found), cluster)
    if is_changed or metadata_hash != group.metadata_hash:
        out.records.append(epoch_record(group.group_id, group.epoch + 1, metadata_hash))
        group.refreshed_epoch = group.epoch + 1
    return out


def _matches(regex: str, cluster: Cluster) -> frozenset[str]:
    """Topics whose whole name matches; none if the expression, which the log may have had, is none."""
    try:
        matches = compile_pattern(regex)
    except ApiError:
        return frozenset()
    return frozenset(name for name in cluster.topic_names() if matches(name))
