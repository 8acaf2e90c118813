"""The queue of one share partition, with the log that it looks ahead in.

Looking means decoding every record once, so it goes in steps that let others have their turn, and no
further than the queue wants. Only groups with a configuration of `kstream.queue.*` have one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import trio

from kstream.broker.partition import Partition
from kstream.broker.replica import disk_limiter
from kstream.clock import Clock
from kstream.errors import ApiError, ErrorCode
from kstream.log.errors import OffsetOutOfRange
from kstream.log.txn_index import AbortedTransaction
from kstream.records.batch import BatchHeader, iter_headers
from kstream.records.errors import CorruptBatch
from kstream.records.record import iter_payload, iter_records, records_payload
from kstream.shares.changes import Change
from kstream.shares.limits import Acquired, ShareLimits
from kstream.shares.locks import Lock
from kstream.shares.queue.queue import ShareQueue
from kstream.shares.queue.rules import QueueRules
from kstream.shares.release_times import ReleaseTimes
from kstream.shares.window import ShareWindow

_READ_BYTES = 1 << 20
_RECORDS_PER_TURN = 2_000
"""A few milliseconds of looking: then others have their turn."""
_STEPS_MAX = 16
"""Then what is found to have expired is given up, before more is looked at."""


class PartitionQueue:
    """`rules` are those that the queue was made for: others want another one, over the same window."""

    def __init__(
        self,
        partition: Partition,
        window: ShareWindow,
        rules: QueueRules,
        clock: Clock,
        *,
        group_id: str,
        released: ReleaseTimes | None,
    ) -> None:
        self.rules = rules
        self.queue = ShareQueue(window, rules, group_id=group_id, released=released)
        self._partition = partition
        self._window = window
        self._clock = clock
        self._begins_at = window.start_offset
        self._has_looked_back = not rules.deduplication_window_ms

    async def look_ahead(self, *, is_read_committed: bool) -> bool:
        """Read on in the log, as far as the queue wants, or for some steps; whether it learnt anything.

        Raises:
            ApiError: NOT_LEADER_OR_FOLLOWER if the log lost what was to be read, CORRUPT_MESSAGE.
            LogStorageError: the disk fails.
        """
        partition, queue = self._partition, self.queue
        if self._window.start_offset > self._begins_at:
            self._begins_at = self._window.start_offset
            queue.begin_at(self._begins_at)
        if not self._has_looked_back:
            await self._look_back()
        begin = queue.looked_to
        for _ in range(_STEPS_MAX):
            end_offset = partition.last_stable_offset if is_read_committed else partition.high_watermark
            if queue.looked_to >= end_offset or not queue.looks_ahead():
                break
            looked_to = queue.looked_to
            await self._step(end_offset, is_read_committed=is_read_committed)
            if queue.looked_to == looked_to:
                break
            await trio.lowlevel.checkpoint()
        return queue.looked_to > begin

    async def _step(self, end_offset: int, *, is_read_committed: bool) -> None:
        partition, queue = self._partition, self.queue
        begin = queue.looked_to
        try:
            found = await partition.read(
                begin,
                _READ_BYTES,
                end_offset=end_offset,
                min_one_batch=True,
                with_transactions=is_read_committed,
            )
        except OffsetOutOfRange as error:
            raise ApiError(ErrorCode.NOT_LEADER_OR_FOLLOWER) from error
        try:
            aborted = partition.log.aborted_transactions(begin, found) if is_read_committed else ()
            view = found.view()
            position = record_count = 0
            for header in iter_headers(view, partial_ok=True):
                if header.is_control or _is_aborted(header, aborted):
                    queue.admit(header.base_offset, header.last_offset, (), header.max_timestamp_ms)
                else:
                    await self._admit(view, position, header)
                position += header.size_bytes
                record_count += header.record_count
                if record_count >= _RECORDS_PER_TURN or not queue.looks_ahead():
                    break
        except CorruptBatch as error:
            raise ApiError(ErrorCode.CORRUPT_MESSAGE, str(error)) from error
        finally:
            found.release()

    async def _admit(self, view: memoryview, position: int, header: BatchHeader) -> None:
        """Show the queue the records of one batch; of a large one a part at a time, opened in a thread."""
        queue = self.queue
        if header.record_count <= _RECORDS_PER_TURN:
            records = iter_records(view, position, header=header)
            queue.admit(header.base_offset, header.last_offset, records, header.max_timestamp_ms)
            return
        payload = await trio.to_thread.run_sync(
            records_payload, view, header, position, limiter=disk_limiter()
        )
        left = iter_payload(payload, header)
        while part := list(islice(left, _RECORDS_PER_TURN)):
            last_offset = part[-1].offset
            queue.admit(header.base_offset, last_offset, part, header.max_timestamp_ms)
            await trio.lowlevel.checkpoint()
        queue.admit(header.base_offset, header.last_offset, (), header.max_timestamp_ms)

    async def _look_back(self) -> None:
        """Begin early enough to know what the first records may be duplicates of."""
        partition, start_offset = self._partition, self._window.start_offset
        time_ms = self._clock.now_ms()
        try:
            if start_offset < partition.high_watermark:
                found = await partition.read(
                    start_offset, 1, end_offset=partition.high_watermark, min_one_batch=True
                )
                try:
                    for header in islice(iter_headers(found.view(), partial_ok=True), 1):
                        time_ms = min(time_ms, header.base_timestamp_ms)
                finally:
                    found.release()
            at = await trio.to_thread.run_sync(
                partition.log.offset_for_timestamp,
                time_ms - self.rules.deduplication_window_ms,
                limiter=disk_limiter(),
            )
        except OffsetOutOfRange as error:
            raise ApiError(ErrorCode.NOT_LEADER_OR_FOLLOWER) from error
        except CorruptBatch as error:
            raise ApiError(ErrorCode.CORRUPT_MESSAGE, str(error)) from error
        if at is not None:
            self.queue.looked_to = min(self.queue.looked_to, at.offset)
        self._has_looked_back = True

    def next_offset(self, member_id: str) -> int | None:
        """What a member is to get next."""
        return self.queue.next_offset(member_id, self._clock.now_ms())

    def has_room(self, limits: ShareLimits) -> bool:
        """Whether the group may have more records out."""
        return self._window.locks.records < limits.record_locks_max

    def take(
        self, member_id: str, records_max: int, last_read: int, limits: ShareLimits, lock: Lock
    ) -> list[Acquired]:
        """Acquire from what was read, at most so many records."""
        room = limits.record_locks_max - self._window.locks.records
        taken = self.queue.take(
            member_id, min(records_max, room), last_read, limits, lock, self._clock.now_ms()
        )
        if lock.records:
            self._window.locks.add(lock)
        return taken

    def on_change(self, change: Change, *, is_stored: bool) -> None:
        """States have changed, or could not be stored."""
        self.queue.on_change(change, is_stored=is_stored, now_ms=self._clock.now_ms())

    def expire(self, limits: ShareLimits) -> Change:
        """Give up what is of no use any more."""
        return self.queue.expire(limits, self._clock.now_ms())

    @property
    def wakes_in_ms(self) -> float | None:
        """How long until a record becomes ready, or expires."""
        wakes_at_ms = self.queue.wakes_at_ms
        return None if wakes_at_ms is None else max(0, wakes_at_ms - self._clock.now_ms())


def _is_aborted(header: BatchHeader, aborted: Sequence[AbortedTransaction]) -> bool:
    return header.is_transactional and any(
        each.producer_id == header.producer_id and each.first_offset <= header.base_offset <= each.last_offset
        for each in aborted
    )
