"""Fetching for a share group (KIP-932): read where each share partition wants to go on, acquire what was
read, wait if there is not enough.

Nothing polls: a fetch that waits is woken by appends to partitions that have room for more records in
flight, and by share partitions where records become available again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import trio

from kstream.broker.share_partition import SharePartition
from kstream.broker.shares import Shares
from kstream.broker.waiters import AppendWaiter, Watched
from kstream.errors import ApiError, ErrorCode
from kstream.log.errors import LogStorageError, OffsetOutOfRange
from kstream.log.slices import LogSlice
from kstream.records.batch import BatchHeader, iter_headers
from kstream.shares.acquiring import Wish, drop_aborted
from kstream.shares.limits import Acquired
from kstream.shares.state_store import ShareKey

_READ_BYTES_MAX = 8 * 1024 * 1024
"""Of one partition: a client may ask for much more than the records it asks for will need."""


class ShareFetchWish(NamedTuple):
    """What a member asks for, of all its partitions together."""

    wish: Wish
    size_bytes_min: int
    size_bytes_max: int
    wait_max_s: float
    is_read_committed: bool


class Fetched:
    """What came of one partition: records with their ranges, or an error."""

    __slots__ = ("acquired", "error_code", "records")

    def __init__(self, error_code: int = 0) -> None:
        self.error_code = error_code
        self.records: LogSlice | None = None
        self.acquired: list[Acquired] = []


class _Reading:
    """What was read of one share partition and not acquired yet."""

    __slots__ = ("error_code", "fetch_offset", "found", "headers", "share")

    def __init__(self, share: SharePartition) -> None:
        self.share = share
        self.fetch_offset = 0
        self.found: LogSlice | None = None
        self.headers: list[BatchHeader] = []
        self.error_code = 0

    @property
    def size_bytes(self) -> int:
        return len(self.found) if self.found is not None else 0

    def release(self) -> None:
        if self.found is not None:
            self.found.release()
            self.found = None


async def fetch_shares(
    shares: Shares, keys: Sequence[ShareKey], wanted: ShareFetchWish
) -> dict[ShareKey, Fetched]:
    """Fetch from share partitions. A partition that has no room for more records in flight, and nothing
    to acquire again, is not in the answer.
    """
    if not keys or not wanted.wish.records_max or not wanted.size_bytes_max:
        return {}
    deadline_s = trio.current_time() + wanted.wait_max_s
    while True:
        # Before looking: what happens during a read that takes its time must not be missed.
        waiter = AppendWaiter(1)
        opened, fetched = await _open(shares, keys)
        watched: list[Watched] = [*opened, *(share.partition for share in opened if share.has_room())]
        with waiter.watching(watched):
            is_late = trio.current_time() >= deadline_s
            has_acquired = await _attempt(shares, opened, wanted, fetched, is_late=is_late)
            if has_acquired or is_late or (len(fetched) >= len(keys) and not opened):
                return fetched
            await waiter.wait(deadline_s - trio.current_time())


async def _open(
    shares: Shares, keys: Iterable[ShareKey]
) -> tuple[list[SharePartition], dict[ShareKey, Fetched]]:
    """The share partitions, and for those that cannot be had their errors."""
    opened: list[SharePartition] = []
    fetched: dict[ShareKey, Fetched] = {}
    for key in keys:
        try:
            opened.append(await shares.get(key))
        except ApiError as error:
            fetched[key] = Fetched(error.code)
    return opened, fetched


async def _attempt(
    shares: Shares,
    opened: Sequence[SharePartition],
    wanted: ShareFetchWish,
    fetched: dict[ShareKey, Fetched],
    *,
    is_late: bool,
) -> bool:
    """Read, and acquire if it is enough, or too late to wait for more; whether that is the answer."""
    ready = [share for share in opened if not share.is_gone and share.begin_reading()]
    readings: list[_Reading] = []
    try:
        has_error = await _read_all(ready, wanted, readings)
        size_bytes = sum(reading.size_bytes for reading in readings)
        if not (is_late or has_error or size_bytes >= wanted.size_bytes_min):
            return False
        has_acquired = _acquire_all(readings, wanted, fetched)
        return has_acquired or has_error or not wanted.size_bytes_min
    finally:
        for reading in readings:
            reading.release()
        for share in ready:
            share.end_reading()


async def _read_all(
    ready: Sequence[SharePartition], wanted: ShareFetchWish, readings: list[_Reading]
) -> bool:
    """Read from each at its next offset; whether something was wrong with one."""
    has_error = False
    remaining_bytes = wanted.size_bytes_max
    share_bytes = wanted.size_bytes_max // max(1, len(ready)) or 1
    min_one_batch = True
    for share in ready:
        reading = _Reading(share)
        readings.append(reading)
        try:
            size_bytes_max = min(share_bytes, remaining_bytes, _READ_BYTES_MAX)
            await _read(reading, wanted, size_bytes_max, min_one_batch=min_one_batch)
        except ApiError as error:
            reading.error_code, has_error = error.code, True
        except LogStorageError:
            reading.error_code, has_error = ErrorCode.KAFKA_STORAGE_ERROR, True
        if reading.size_bytes:
            min_one_batch = False
            remaining_bytes = max(0, remaining_bytes - reading.size_bytes)
    return has_error


async def _read(
    reading: _Reading, wanted: ShareFetchWish, size_bytes_max: int, *, min_one_batch: bool
) -> None:
    share = reading.share
    partition, window = share.partition, share.window
    if size_bytes_max < 0:
        raise ApiError(ErrorCode.UNKNOWN_SERVER_ERROR)
    window.begin_at(partition.log.log_start_offset)
    offset = await share.find_next(wanted.wish.member_id, is_read_committed=wanted.is_read_committed)
    if offset is None:
        return
    reading.fetch_offset = offset
    end_offset = partition.last_stable_offset if wanted.is_read_committed else partition.high_watermark
    if reading.fetch_offset >= end_offset:
        return
    try:
        found = await partition.read(
            reading.fetch_offset, size_bytes_max, end_offset=end_offset, min_one_batch=min_one_batch
        )
    except OffsetOutOfRange as error:
        # The log lost its beginning while it was read.
        raise ApiError(ErrorCode.NOT_LEADER_OR_FOLLOWER) from error
    if not len(found):
        found.release()
        return
    reading.found = found
    enough = share.reach(offset, wanted.wish.records_max)
    for header in iter_headers(found.view(), partial_ok=True):
        reading.headers.append(header)
        if header.last_offset >= enough:
            break


def _acquire_all(
    readings: Sequence[_Reading], wanted: ShareFetchWish, fetched: dict[ShareKey, Fetched]
) -> bool:
    """Acquire from what was read, up to the number of records asked for; whether there was any."""
    remaining = wanted.wish.records_max
    has_acquired = False
    for reading in readings:
        share = reading.share
        result = fetched[share.key] = Fetched(reading.error_code)
        if not reading.headers or share.is_gone:
            continue
        log_batches = [(header.base_offset, header.last_offset) for header in reading.headers]
        wish = wanted.wish._replace(records_max=remaining)
        acquired = share.acquire(wish, reading.fetch_offset, log_batches)
        remaining -= sum(part.last_offset - part.first_offset + 1 for part in acquired)
        if acquired and wanted.is_read_committed:
            acquired = _without_aborted(reading, acquired)
        if acquired:
            has_acquired = True
            result.acquired = acquired
            result.records = _cut(reading, acquired[0].first_offset, acquired[-1].last_offset)
    return has_acquired


def _without_aborted(reading: _Reading, acquired: list[Acquired]) -> list[Acquired]:
    """Take out what belongs to aborted transactions."""
    assert reading.found is not None
    transactions = reading.share.partition.log.aborted_transactions(reading.fetch_offset, reading.found)
    if not transactions:
        return acquired
    aborted = [
        (header.base_offset, header.last_offset)
        for header in reading.headers
        if header.is_transactional
        and not header.is_control
        and any(
            each.producer_id == header.producer_id
            and each.first_offset <= header.base_offset <= each.last_offset
            for each in transactions
        )
    ]
    left = drop_aborted(reading.share.window, acquired, aborted)
    if not left:
        reading.share.wake()  # What follows may be there already.
    return left


def _cut(reading: _Reading, first_offset: int, last_offset: int) -> LogSlice:
    """Of what was read, the batches that have something of what was acquired."""
    found = reading.found
    assert found is not None
    start = size_bytes = 0
    for header in reading.headers:
        if header.last_offset < first_offset and not size_bytes:
            start += header.size_bytes
        elif header.base_offset <= last_offset:
            size_bytes += header.size_bytes
        else:
            break
    return LogSlice(found.file, found.position + start, size_bytes, found.segment_base_offset, found.is_fresh)
