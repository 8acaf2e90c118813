"""What a queue wants to know of a record: read from its headers once, when the queue first sees it.

Headers are decimal numbers as text; one that is not counts as absent, since nobody is there to be told.
"""

from __future__ import annotations

from typing import NamedTuple

import xxhash

from kstream.records.record import Record
from kstream.shares.queue.rules import QueueRules

DELAY = "kstream-delay-ms"
"""Not before so long after the record's timestamp."""
DELIVER_AT = "kstream-deliver-at-ms"
"""Not before this time, in milliseconds since the Unix epoch."""
TTL = "kstream-ttl-ms"
PRIORITY = "kstream-priority"
"""From 0 to 9, which is the most urgent."""
PRIORITY_DEFAULT, PRIORITY_MAX = 4, 9
REDRIVEN = "kstream-redriven"
"""A dead letter's record that came back, with the group that had given it up."""

_FAR_MS = 1 << 53
"""Times behind it are no times; a number that large would not stay exact in JSON either."""


class Entry(NamedTuple):
    """One record. Times are milliseconds since the Unix epoch, 0 for none."""

    offset: int
    due_ms: int
    expires_ms: int
    priority: int


def entry_of(record: Record, rules: QueueRules) -> Entry:
    """What the headers say, and the rules where they are silent."""
    due_ms = 0
    expires_ms = record.timestamp_ms + rules.ttl_ms if rules.ttl_ms else 0
    priority = PRIORITY_DEFAULT
    for name, value in record.headers:
        if not name.startswith("kstream-"):
            continue
        number = _number(value)
        if number is None:
            continue
        if name == DELAY:
            due_ms = record.timestamp_ms + number
        elif name == DELIVER_AT:
            due_ms = number
        elif name == TTL:
            expires_ms = record.timestamp_ms + number
        elif name == PRIORITY:
            priority = min(number, PRIORITY_MAX)
    return Entry(record.offset, due_ms, expires_ms, priority)


def redriven_for(record: Record) -> bytes | None:
    """The group that a record came back for; None for one that is here for the first time."""
    for name, value in record.headers:
        if name == REDRIVEN:
            return value
    return None


def identity_of(record: Record, rules: QueueRules) -> bytes | None:
    """By what a record is known again; None for one that has no identity, and is never a duplicate."""
    if rules.identity_header:
        for name, value in record.headers:
            if name == rules.identity_header:
                return value
        return None
    hashed = xxhash.xxh3_128(b"" if record.key is None else b"%d:" % len(record.key) + record.key)
    hashed.update(b"" if record.value is None else record.value)
    return hashed.digest()


def _number(value: bytes | None) -> int | None:
    if value is None or not value.isdigit() or len(value) > 16:
        return None
    number = int(value)
    return number if number < _FAR_MS else None
