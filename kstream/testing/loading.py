"""Records from a file into a topic, as they stand there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kstream.api.registry import Handler
from kstream.broker.broker import Broker
from kstream.replay.event import NO_TIMESTAMP, Event
from kstream.replay.files import JsonLinesSource
from kstream.replay.moments import Range
from kstream.testing.producing import produce_record


def _events(path: Path) -> Iterator[Event]:
    source = JsonLinesSource(path, Range())
    try:
        yield from source.events({})
    finally:
        source.close()


def partitions_needed(path: Path) -> int:
    """How many partitions the records of a file need. Raises ReplayError."""
    return 1 + max((event.partition or 0 for event in _events(path)), default=0)


async def load(broker: Broker, handler: Handler, path: Path, topic: str) -> int:
    """Append the records of a file of JSON Lines through the handler of Produce; how many there were.

    Raises:
        ReplayError: the message names the line; the records before it are there.
        ApiError: what Produce answers.
    """
    count = 0
    for event in _events(path):
        at_ms = None if event.timestamp_ms == NO_TIMESTAMP else event.timestamp_ms
        await produce_record(
            broker,
            handler,
            topic,
            event.key,
            event.value,
            event.headers,
            partition=event.partition,
            timestamp_ms=at_ms,
        )
        count += 1
    return count
