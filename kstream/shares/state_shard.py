"""The share-state coordinator of one partition of `__share_group_state`: replay, time, and what the log can
lose.
"""

from __future__ import annotations

from collections.abc import Iterator

from kstream.coordinator.outcome import CoordinatorRecord, Outcome, TimerKey
from kstream.records.schemas.share import ShareUpdateKey
from kstream.shares.state_operations import snapshot_cold
from kstream.shares.state_store import ShareKey, ShareStateSettings, ShareStateStore, Topics, key_of

COLD = "cold snapshots"


class ShareStateShard:
    """The store with its life. Requests are functions on `store`.

    Satisfies `kstream.coordinator.shard.Shard` and `TracksOffsets`.
    """

    def __init__(self, settings: ShareStateSettings, topics: Topics) -> None:
        self.store = ShareStateStore(settings, topics)
        self._snapshots: dict[ShareKey, int] = {}
        """Where in the log each share partition's last snapshot stands."""
        self._last_tombstone = 0

    def replay(self, record: CoordinatorRecord, *, producer_id: int = -1) -> None:
        self.store.replay(record)

    def replay_end_transaction(self, producer_id: int, *, is_commit: bool) -> None:
        """Nobody writes to this topic in a transaction."""

    def on_stored(self, record: CoordinatorRecord, offset: int) -> None:
        """A record that was replayed stands in the log at an offset."""
        if isinstance(record.key, ShareUpdateKey):
            return
        if record.value is None:
            self._snapshots.pop(key_of(record), None)
            self._last_tombstone = offset
        else:
            self._snapshots[key_of(record)] = offset

    @property
    def oldest_needed_offset(self) -> int:
        """Nothing below it is needed to load this partition again."""
        return min(self._snapshots.values(), default=self._last_tombstone)

    def on_loaded(self, now_ms: int) -> Outcome:
        out = Outcome()
        out.timers[(COLD,)] = self.store.settings.cold_snapshot_interval_ms
        return out

    def on_timer(self, key: TimerKey, now_ms: int) -> Outcome:
        out = snapshot_cold(self.store, now_ms)
        out.timers[(COLD,)] = self.store.settings.cold_snapshot_interval_ms
        return out

    def waiting(self) -> Iterator[object]:
        """Every operation answers at once."""
        return iter(())
