"""What a source and a target are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from kstream.replay.event import Event


class Source(Protocol):
    """Records of one topic or file, each partition's in its order, the partitions merged by time."""

    def partition_count(self) -> int | None:
        """How many partitions there are; None where it is not known before the end. May take a while."""
        ...

    @property
    def total(self) -> int | None:
        """How far there is to go, in steps of the source's own; None where nobody knows."""
        ...

    @property
    def done(self) -> int:
        """How far `events` has come, in the same steps."""
        ...

    def events(self, resume: Mapping[int, int]) -> Iterator[Event]:
        """The records of the range; for partitions in `resume` from that offset on. Raises `ReplayError`."""
        ...

    def close(self) -> None: ...


class Target(Protocol):
    """Where records go."""

    def prepare(self, partition_count: Callable[[], int | None]) -> None:
        """Make ready for records of so many partitions, None for whatever suits. Raises `ReplayError`."""
        ...

    def write(self, event: Event) -> None:
        """Take one record; it may wait for others. Raises `ReplayError`."""
        ...

    def flush(self) -> None:
        """Return once all that was taken is safe in its place. Raises `ReplayError`."""
        ...

    def size_bytes(self) -> int | None:
        """How long the target is after a `flush`, if that can be told and be gone back to."""
        ...

    def close(self) -> None: ...
