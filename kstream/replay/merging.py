"""Several partitions as one stream."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from kstream.replay.event import Event


def by_time(partitions: Iterable[Iterator[Event]]) -> Iterator[Event]:
    """Events of all partitions by timestamp, as far as that keeps the order that each partition has."""
    return heapq.merge(*partitions, key=lambda event: event.timestamp_ms)
