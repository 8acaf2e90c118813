"""The share-state coordinator of one partition of `__share_group_state`: replay, time, what the log can lose,
and what its own times say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kstream.coordinator.outcome import CoordinatorRecord, Outcome, TimerKey
from kstream.records.schemas.share import ShareSnapshotValue, ShareUpdateValue
from kstream.shares.release_times import ReleaseTimes, is_released
from kstream.shares.state_operations import snapshot_cold
from kstream.shares.state_store import ShareKey, ShareStateSettings, ShareStateStore, Topics, key_of
from kstream.shares.states import RecordState

COLD = "cold snapshots"


class UnwrittenLetters(NamedTuple):
    """An effect: share partitions with records that were to become dead letters when the broker stopped."""

    keys: list[ShareKey]


class ShareStateShard:
    """The store with its life. Requests are functions on `store`.

    Satisfies `kstream.coordinator.shard.Shard` and `TracksOffsets`.
    """

    def __init__(self, settings: ShareStateSettings, topics: Topics) -> None:
        self.store = ShareStateStore(settings, topics)
        self._snapshots: dict[ShareKey, int] = {}
        """Where in the log each share partition's last snapshot stands."""
        self._last_tombstone = 0
        self._released: dict[ShareKey, ReleaseTimes] = {}

    def release_times(self, key: ShareKey) -> ReleaseTimes | None:
        """When records of a share partition were let go of; None if none ever was."""
        return self._released.get(key)

    def replay(self, record: CoordinatorRecord, *, producer_id: int = -1) -> None:
        self.store.replay(record)

    def replay_end_transaction(self, producer_id: int, *, is_commit: bool) -> None:
        """Nobody writes to this topic in a transaction."""

    def on_stored(self, record: CoordinatorRecord, offset: int, timestamp_ms: int) -> None:
        """A record that was replayed stands in the log at an offset, since a time."""
        key, value = key_of(record), record.value
        if value is None:
            self._snapshots.pop(key, None)
            self._released.pop(key, None)
            self._last_tombstone = offset
            return
        assert isinstance(value, ShareSnapshotValue | ShareUpdateValue)
        if isinstance(value, ShareSnapshotValue):
            self._snapshots[key] = offset
            if not value.state_batches:
                self._released.pop(key, None)
        times = self._released.get(key)
        if times is None and any(map(is_released, value.state_batches)):
            times = self._released[key] = ReleaseTimes()
        if times is not None:
            times.note(value.state_batches, value.start_offset, timestamp_ms)

    @property
    def oldest_needed_offset(self) -> int:
        """Nothing below it is needed to load this partition again."""
        return min(self._snapshots.values(), default=self._last_tombstone)

    def on_loaded(self, now_ms: int) -> Outcome:
        out = Outcome()
        out.timers[(COLD,)] = self.store.settings.cold_snapshot_interval_ms
        unwritten = [
            key
            for key, share in self.store.shares.items()
            if any(batch.delivery_state == RecordState.ARCHIVING for batch in share.batches)
        ]
        if unwritten:
            out.effects.append(UnwrittenLetters(unwritten))
        return out

    def on_timer(self, key: TimerKey, now_ms: int) -> Outcome:
        out = snapshot_cold(self.store, now_ms)
        out.timers[(COLD,)] = self.store.settings.cold_snapshot_interval_ms
        return out

    def waiting(self) -> Iterator[object]:
        """Every operation answers at once."""
        return iter(())
