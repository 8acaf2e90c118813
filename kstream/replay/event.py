"""One record on its way from one place to another."""

from __future__ import annotations

from typing import NamedTuple

Header = tuple[str, bytes | None]

NO_TIMESTAMP = -1


class Event(NamedTuple):
    """A record with all that a reader can see of it.

    `offset` is where it stood in its source, or None for one that never stood anywhere, such as a line that
    somebody typed; `partition` None leaves the choice to whoever writes it.
    """

    partition: int | None
    offset: int | None
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()
    is_append_time: bool = False
    """Whether the broker gave the timestamp (LogAppendTime), not the producer."""
