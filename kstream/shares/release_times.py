"""When records of a share partition were let go of, for queues that hold them back (`kstream.queue.backoff`).

No record says so, since Kafka has no field for it: the time at which the log got the record that says
AVAILABLE does. Where the log begins with a snapshot, its time stands for those before. So after a restart
nothing comes too early, and what comes late has waited one backoff more at most.
"""

from __future__ import annotations

from collections.abc import Iterable

from kstream.records.schemas.share import StateBatch as StoredBatch
from kstream.shares.state_batches import StateBatch, StateBatches
from kstream.shares.states import RecordState

_RANGES_MAX = 10_000
"""Of one share partition. Then the times of the older half are forgotten, but for the latest of them."""


class ReleaseTimes:
    """Of one share partition. Each delivery ends once, and the next one counts one more: so of two times the
    one with the higher count is right, and with the same count the earlier one.
    """

    __slots__ = ("_latest_forgotten_ms", "_ranges")

    def __init__(self) -> None:
        self._ranges = StateBatches()
        """With the time, negated, in place of the state: that is the order in which these prevail."""
        self._latest_forgotten_ms = 0

    def __len__(self) -> int:
        return len(self._ranges)

    def note(self, batches: Iterable[StoredBatch | StateBatch], start_offset: int, time_ms: int) -> None:
        """Batches were stored at a time."""
        for batch in batches:
            if is_released(batch):
                self._ranges.merge(
                    StateBatch(batch.first_offset, batch.last_offset, -time_ms, batch.delivery_count)
                )
        self._ranges.cut_before(start_offset)
        if len(self._ranges) > _RANGES_MAX:
            self._forget_older_half()

    def time_ms_of(self, offset: int) -> int:
        """When the record at an offset became available again, at the latest; 0 for one that never did."""
        found = self._ranges.at(offset)
        return self._latest_forgotten_ms if found is None else -found.delivery_state

    def _forget_older_half(self) -> None:
        times_ms = sorted(-each.delivery_state for each in self._ranges)
        forgotten_ms = self._latest_forgotten_ms = times_ms[len(times_ms) // 2]
        self._ranges = StateBatches(each for each in self._ranges if -each.delivery_state > forgotten_ms)


def is_released(batch: StoredBatch | StateBatch) -> bool:
    """Whether somebody had these records and has let go of them."""
    return batch.delivery_state == RecordState.AVAILABLE and batch.delivery_count > 0
