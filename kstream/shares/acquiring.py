"""A member fetches: which of the records that were read become its own for a while (KIP-932, KIP-1206).

What was read comes as the batches of the log, by their offsets. Records that are in flight go out again
as far as they are available; behind the window new batches begin. The ranges are Apache Kafka's own,
since clients see them: new records are acquired in whole batches of the log, cut at the borders of those
once there are `batch_size` records, and batches in flight stay together.

Records that were delivered often come back with ever fewer others, in the end alone: see `ShareLimits`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kstream.shares.in_flight import InFlightBatch, Run
from kstream.shares.limits import Acquired, AcquireMode, ShareLimits
from kstream.shares.locks import Lock
from kstream.shares.states import RecordState
from kstream.shares.window import ShareWindow

LogBatch = tuple[int, int]
"""Base offset and last offset of a batch of the log."""


class Wish(NamedTuple):
    """What a member asks for."""

    member_id: str
    records_max: int
    batch_size: int
    mode: AcquireMode = AcquireMode.BATCH_OPTIMIZED


def acquire(
    window: ShareWindow,
    wish: Wish,
    fetch_offset: int,
    log_batches: Sequence[LogBatch],
    limits: ShareLimits,
    now_ms: float,
) -> list[Acquired]:
    """Acquire what was read from `fetch_offset`; the ranges, by offset."""
    if wish.records_max <= 0 or not log_batches:
        return []
    window.drop_missing(fetch_offset, log_batches[0][0])
    last = log_batches[-1][1]
    if last < window.start_offset:
        return []
    remaining = min(wish.records_max, limits.record_locks_max - window.records_in_window)
    if remaining <= 0:
        # No room for more records; those in the window can be had again.
        if fetch_offset > window.end_offset:
            return []
        last = min(last, window.end_offset)
        remaining = min(wish.records_max, window.end_offset - fetch_offset + 1)
        if last < log_batches[0][0]:
            return []
    lock = Lock(now_ms + limits.lock_duration_ms)
    acquisition = _Acquisition(window, wish, log_batches, limits, lock, now_ms, remaining)
    acquisition.run(last)
    if lock.records:
        window.locks.add(lock)
    return acquisition.acquired


def drop_aborted(
    window: ShareWindow, acquired: Sequence[Acquired], aborted: Sequence[LogBatch]
) -> list[Acquired]:
    """Archive what was acquired of aborted transactions, which nobody is to see; returns what is left."""
    left = list(acquired)
    for base, last in aborted:
        for batch in window.batches_between(base, last):
            for run in list(batch.overlapping(base, last)):
                if run.state is RecordState.ACQUIRED:
                    window.archive(batch, max(run.first, base), min(run.last, last))
        left = [part for each in left for part in _without(each, base, last)]
    window.advance()
    return left


def _without(acquired: Acquired, base: int, last: int) -> list[Acquired]:
    first_offset, last_offset, count = acquired
    if last < first_offset or base > last_offset:
        return [acquired]
    parts = []
    if first_offset < base:
        parts.append(Acquired(first_offset, base - 1, count))
    if last_offset > last:
        parts.append(Acquired(last + 1, last_offset, count))
    return parts


class _Acquisition:
    """One fetch of one share partition at work."""

    def __init__(
        self,
        window: ShareWindow,
        wish: Wish,
        log_batches: Sequence[LogBatch],
        limits: ShareLimits,
        lock: Lock,
        now_ms: float,
        remaining: int,
    ) -> None:
        self._window = window
        self._wish = wish
        self._log_batches = log_batches
        self._limits = limits
        self._lock = lock
        self._now_ms = now_ms
        self._remaining = remaining
        self._count = 0
        self.acquired: list[Acquired] = []

    @property
    def _has_record_limit(self) -> bool:
        return self._wish.mode is AcquireMode.RECORD_LIMIT

    def run(self, last: int) -> None:
        window = self._window
        first = self._log_batches[0][0]
        in_flight = window.batches_between(first, last)
        if not in_flight:
            # What is read may begin below the window, in the middle of a batch of the log.
            self._acquire_new(max(first, window.start_offset if window.batches else window.end_offset), last)
            return
        for batch in in_flight:
            if self._remaining <= 0:
                return
            if batch.is_gap:
                self._fill_gap(batch, last)
            else:
                self._acquire_again(batch, first, last)
        behind = in_flight[-1].last + 1
        if self._remaining > 0 and behind <= last and behind >= window.next_offset:
            self._acquire_new(behind, last)

    def _took(self, acquired: Sequence[Acquired], count: int) -> None:
        self.acquired += acquired
        self._count += count
        self._remaining -= count

    # Records that are in flight

    def _acquire_again(self, batch: InFlightBatch, first: int, last: int) -> None:
        counts = [run.delivery_count for run in batch.overlapping(first, last) if run.is_available]
        if not counts:
            return
        throttles = max(counts) >= self._limits.throttling_from
        if throttles and self._count:
            self._remaining = 0  # With others it would not be found out.
            return
        is_whole = batch.first >= first and batch.last <= last
        exceeds = self._has_record_limit and batch.size > self._remaining
        available = self._available(batch, first, last)
        if not available:
            return
        if is_whole and not batch.is_split and not exceeds and not throttles and available == batch.runs:
            (run,) = available
            self._take(run)
            self._took((Acquired(run.first, run.last, run.delivery_count),), len(run))
            return
        batch.is_split = True
        count = self._acquire_parts(batch, available)
        if throttles and count:
            self._remaining = 0

    def _available(self, batch: InFlightBatch, first: int, last: int) -> list[Run]:
        """What could be had of a batch, cut to what was read and is selected."""
        window = self._window
        found: list[Run] = []
        for run in list(batch.overlapping(first, last)):
            if not run.is_available:
                continue
            low, high = max(run.first, first), min(run.last, last)
            for begin, end in window.selection.select(low, high, run.delivery_count, self._now_ms):
                found += batch.isolated(begin, end)
        return found

    def _acquire_parts(self, batch: InFlightBatch, available: Sequence[Run]) -> int:
        """Take runs of a batch one after the other, as many records as their delivery counts allow."""
        limits = self._limits
        taken: list[Run] = []
        count = 0
        throttled_max = -1
        for run in available:
            is_last_delivery = limits.last_delivery_is_alone and (
                run.delivery_count == limits.delivery_count_max - 1
            )
            if is_last_delivery and count:
                break
            if run.delivery_count >= limits.throttling_from and throttled_max < 0:
                halvings = run.delivery_count - limits.throttling_from + 1
                throttled_max = max(1, batch.size >> halvings)
            wanted = 1 if is_last_delivery else len(run)
            if self._has_record_limit:
                wanted = min(wanted, self._remaining - count)
            if throttled_max >= 0 and count < throttled_max:
                wanted = min(wanted, throttled_max - count)
            (part,) = batch.isolated(run.first, run.first + wanted - 1)
            self._take(part)
            taken.append(part)
            count += len(part)
            if is_last_delivery or count == throttled_max:
                break
            if self._has_record_limit and count == self._remaining:
                break
        self._took(_ranges(taken), count)
        if taken:
            batch.join(taken[0].first, taken[-1].last)
        return count

    def _take(self, run: Run) -> None:
        run.state = RecordState.ACQUIRED
        run.delivery_count += 1
        run.member_id = self._wish.member_id
        run.lock = self._lock
        self._lock.hold(run.first, run.last)

    # Records that were never delivered

    def _fill_gap(self, gap: InFlightBatch, last: int) -> None:
        """Acquire as many as are wanted of records that a stored state did not mention."""
        window = self._window
        window.batches.remove(gap)
        first = max(gap.first, self._log_batches[0][0])
        window.put_gap(gap.first, first - 1)
        behind = self._acquire_new(first, min(gap.last, last))
        window.put_gap(behind, gap.last)

    def _acquire_new(self, first: int, last: int) -> int:
        """Begin with records; returns the offset behind them."""
        window = self._window
        if self._remaining < last - first + 1:
            last = min(last, _end_of_batch_with(first + self._remaining - 1, self._log_batches))
        if not window.batches or first < window.batches[0].first:
            window.start_offset = first
        for part in self._parts(first, last):
            self._begin_batch(*part)
        window.end_offset = max(window.end_offset, last)
        return last + 1

    def _begin_batch(self, first: int, last: int) -> None:
        """Put a batch into the window, and take of it what is wanted and may be had."""
        run = Run(first, last, RecordState.AVAILABLE, 0)
        batch = InFlightBatch(run)
        self._window.put(batch)
        wanted_last = min(last, first + self._remaining - 1) if self._has_record_limit else last
        selected = self._window.selection.select(first, wanted_last, 0, self._now_ms)
        if list(selected) == [(first, last)]:
            self._take(run)
            self._took((Acquired(first, last, 1),), len(run))
            return
        batch.is_split = True
        self._window.on_available(first)
        taken = [part for ends in selected for part in batch.isolated(*ends)]
        for part in taken:
            self._take(part)
        self._took(_ranges(taken), sum(map(len, taken)))

    def _parts(self, first: int, last: int) -> list[tuple[int, int]]:
        """New records as batches of at least `batch_size`, cut where batches of the log begin."""
        batch_size = self._wish.batch_size
        if self._has_record_limit or last - first + 1 <= batch_size:
            return [(first, last)]
        parts = []
        for base, _ in self._log_batches:
            if base > last:
                break
            if base - first >= batch_size:
                parts.append((first, base - 1))
                first = base
        return [*parts, (first, last)]


def _end_of_batch_with(offset: int, log_batches: Sequence[LogBatch]) -> int:
    """The end of the log's batch that an offset belongs to; the offset itself between batches."""
    for base, last in reversed(log_batches):
        if base <= offset:
            return max(last, offset) if offset <= last else offset
    return offset


def _ranges(runs: Sequence[Run]) -> list[Acquired]:
    """Runs that were acquired, neighbours of the same count as one."""
    ranges: list[Acquired] = []
    for run in runs:
        if (
            ranges
            and ranges[-1].last_offset + 1 == run.first
            and ranges[-1].delivery_count == run.delivery_count
        ):
            ranges[-1] = ranges[-1]._replace(last_offset=run.last)
        else:
            ranges.append(Acquired(run.first, run.last, run.delivery_count))
    return ranges
