"""What the runtime asks of a coordinator, whichever it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from kstream.coordinator.outcome import CoordinatorRecord, Outcome, TimerKey


class Shard(Protocol):
    """The state that one partition of a coordinator's topic holds.

    Only `replay` and `replay_end_transaction` change what the records say (hard state); who waits for what,
    and everything else that a restart may forget (soft state), is the operations' own.
    """

    def replay(self, record: CoordinatorRecord, *, producer_id: int = -1) -> None:
        """Take over one record, live or from the log. `producer_id` is that of its transaction, or -1."""
        ...

    def replay_end_transaction(self, producer_id: int, *, is_commit: bool) -> None:
        """A transaction ended in this partition."""
        ...

    def on_loaded(self, now_ms: int) -> Outcome:
        """Everything the log had is replayed: take up work."""
        ...

    def on_timer(self, key: TimerKey, now_ms: int) -> Outcome:
        """A timer that an outcome set is due."""
        ...

    def waiting(self) -> Iterable[object]:
        """Tokens of all requests that wait for an answer, for whoever has to send them away."""
        ...


@runtime_checkable
class TracksOffsets(Protocol):
    """A shard that knows where its records stand and since when, because it says which of them the log can
    lose, or goes by their times.
    """

    def on_stored(self, record: CoordinatorRecord, offset: int, timestamp_ms: int) -> None:
        """A record that was replayed stands in the log at this offset. Called in the order of replay,
        when the record is written; while loading, at once.
        """
        ...
