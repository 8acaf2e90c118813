"""What is changed in records on their way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kstream.replay.event import NO_TIMESTAMP, Event, Header


class Change(NamedTuple):
    """Changes to every record; without any it stays as it is."""

    partition: int | None = None
    """Put all into this one."""
    is_partitioned_anew: bool = False
    """Forget the partition: the target chooses by key."""
    key: bytes | None = None
    drops_key: bool = False
    headers: Sequence[Header] = ()
    """Set these, in place of any of the same name."""
    dropped_headers: frozenset[str] = frozenset()
    drops_timestamp: bool = False
    """Give the time of writing instead."""

    def apply(self, event: Event) -> Event:
        """The record as the target gets it."""
        partition, _, timestamp_ms, key, _, headers, _ = event
        if self.partition is not None:
            partition = self.partition
        elif self.is_partitioned_anew:
            partition = None
        if self.drops_key:
            key = None
        elif self.key is not None:
            key = self.key
        if self.headers or self.dropped_headers:
            gone = self.dropped_headers | {name for name, _ in self.headers}
            headers = (*(each for each in headers if each[0] not in gone), *self.headers)
        if self.drops_timestamp:
            timestamp_ms = NO_TIMESTAMP
        return event._replace(partition=partition, timestamp_ms=timestamp_ms, key=key, headers=headers)
