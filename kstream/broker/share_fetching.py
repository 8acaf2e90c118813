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
_READ_BYTES_MIN = 64 * 1024
_READ_GROWTH = 4
"""What is read next is so many times as much, if it did not bring the records."""


class ShareFetchWish(NamedTuple):
    """What a member asks for, of all its partitions together."""

    wish: Wish
    size_bytes_min: int
    size_bytes_max: int
    wait_max_s: float
    is_read_committed: bool
    names_all: bool = False
    """Whether the answer is to name partitions of which there is nothing to say, too."""


class Fetched:
    """What came of one partition: records with their ranges, or an error."""

    __slots__ = ("acquired", "error_code", "records")

    def __init__(self, error_code: int = 0) -> None:
        self.error_code = error_code
        self.records: LogSlice | None = None
        self.acquired: list[Acquired] = []


class _Reading:
    """What was read of one share partition and not acquired yet."""

    __slots__ = ("error_code", "fetch_offset", "found", "headers", "is_enough", "share")

    def __init__(self, share: SharePartition) -> None:
        self.share = share
        self.fetch_offset = 0
        self.found: LogSlice | None = None
        self.headers: list[BatchHeader] = []
        self.is_enough = False
        self.error_code = 0

    def take(self, found: LogSlice, enough: int) -> None:
        """Look at the batches of what was read, up to one that has the offset `enough`."""
        self.headers = []
        if not len(found):
            found.release()
            return
        self.found = found
        for header in iter_headers(found.view(), partial_ok=True):
            self.headers.append(header)
            if header.last_offset >= enough:
                self.is_enough = True
                break

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
    # As a rule there is something, and nobody needs to be told of what happens meanwhile.
    opened, fetched = await _open(shares, keys)
    is_late = wanted.wait_max_s <= 0
    if await _attempt(opened, wanted, fetched, is_late=is_late) or is_late or not opened:
        return fetched
    deadline_s = trio.current_time() + wanted.wait_max_s
    while True:
        # Before looking: what happens during a read that takes its time must not be missed.
        waiter = AppendWaiter(1)
        opened, fetched = await _open(shares, keys)
        watched: list[Watched] = [*opened, *(share.partition for share in opened if share.has_room())]
        with waiter.watching(watched):
            is_late = trio.current_time() >= deadline_s
            if await _attempt(opened, wanted, fetched, is_late=is_late) or is_late or not opened:
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
    opened: Sequence[SharePartition],
    wanted: ShareFetchWish,
    fetched: dict[ShareKey, Fetched],
    *,
    is_late: bool,
) -> bool:
    """Read from one after the other, and acquire once it is enough, or too late to wait for more: until there
    are as many records as wanted. Whether that is the answer.
    """
    attempt = _Attempt(opened, wanted, fetched)
    try:
        for share in opened:
            if share.is_gone or not share.begin_reading():
                continue
            await attempt.read(share)
            if attempt.is_enough(is_late=is_late):
                attempt.acquire()
                if attempt.remaining <= 0:
                    break
        if not attempt.is_enough(is_late=is_late):
            return False
        if wanted.names_all:
            attempt.name_others()
        return attempt.has_acquired or attempt.has_error or not wanted.size_bytes_min
    finally:
        attempt.end()


class _Attempt:
    """What was read of some share partitions, and acquired of that."""

    def __init__(
        self, opened: Sequence[SharePartition], wanted: ShareFetchWish, fetched: dict[ShareKey, Fetched]
    ) -> None:
        self._opened = opened
        self._wanted = wanted
        self._fetched = fetched
        self._readings: list[_Reading] = []
        self._acquired_from = 0
        """How many of the readings were acquired from, or had nothing."""
        self._size_bytes = 0
        self._share_bytes = _share_bytes(opened, wanted.size_bytes_max)
        self.remaining = wanted.wish.records_max
        self.has_acquired = False
        self.has_error = False

    async def read(self, share: SharePartition) -> None:
        """Read at a share partition's next offset; it has begun reading."""
        reading = _Reading(share)
        self._readings.append(reading)
        size_bytes_max = min(self._share_bytes, max(0, self._wanted.size_bytes_max - self._size_bytes))
        try:
            await _read(reading, self._wanted, size_bytes_max, min_one_batch=not self._size_bytes)
        except ApiError as error:
            reading.error_code, self.has_error = error.code, True
        except LogStorageError:
            reading.error_code, self.has_error = ErrorCode.KAFKA_STORAGE_ERROR, True
        self._size_bytes += reading.size_bytes

    def is_enough(self, *, is_late: bool) -> bool:
        """Whether to answer with what there is."""
        return is_late or self.has_error or self._size_bytes >= self._wanted.size_bytes_min

    def acquire(self) -> None:
        """Acquire from what was read since the last time, at most as many records as are wanted yet."""
        for reading in self._readings[self._acquired_from :]:
            result = self._fetched[reading.share.key] = Fetched(reading.error_code)
            if self.remaining > 0 and reading.headers and not reading.share.is_gone:
                acquired = _acquire(reading, self._wanted, self.remaining)
                self.remaining -= acquired.record_count
                if acquired.ranges:
                    self.has_acquired = True
                    result.acquired = acquired.ranges
                    result.records = _cut(
                        reading, acquired.ranges[0].first_offset, acquired.ranges[-1].last_offset
                    )
        self._acquired_from = len(self._readings)

    def name_others(self) -> None:
        """Put those that were not read because there was enough into the answer, with nothing."""
        for share in self._opened:
            if share.key not in self._fetched and not share.is_gone and share.is_ready():
                self._fetched[share.key] = Fetched()

    def end(self) -> None:
        """Let others read."""
        for reading in self._readings:
            reading.release()
            reading.share.end_reading()


def _share_bytes(opened: Sequence[SharePartition], size_bytes_max: int) -> int:
    """What each share partition may bring of so many bytes: all that have something bring the same."""
    if size_bytes_max >= _READ_BYTES_MAX * len(opened):
        return _READ_BYTES_MAX
    ready = sum(not share.is_gone and share.is_ready() for share in opened)
    return min(_READ_BYTES_MAX, size_bytes_max // max(1, ready) or 1)


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
    enough = share.reach(offset, wanted.wish.records_max)
    # A client may ask for many more bytes than its records need, and whether each is in memory is asked for.
    size_bytes = min(size_bytes_max, share.read_bytes)
    while True:
        try:
            found = await partition.read(
                offset,
                size_bytes,
                end_offset=end_offset,
                min_one_batch=min_one_batch,
                with_transactions=wanted.is_read_committed,
            )
        except OffsetOutOfRange as error:
            # The log lost its beginning while it was read.
            raise ApiError(ErrorCode.NOT_LEADER_OR_FOLLOWER) from error
        reading.take(found, enough)
        if reading.is_enough or len(found) < size_bytes or size_bytes >= size_bytes_max:
            break
        reading.release()
        size_bytes = min(size_bytes * _READ_GROWTH, size_bytes_max)
    if reading.headers:
        share.read_bytes = max(_READ_BYTES_MIN, 2 * sum(header.size_bytes for header in reading.headers))


class _Taken(NamedTuple):
    """What was acquired at once."""

    ranges: list[Acquired]
    record_count: int
    """How many, with those of aborted transactions, which are in no range."""


def _acquire(reading: _Reading, wanted: ShareFetchWish, records_max: int) -> _Taken:
    log_batches = [(header.base_offset, header.last_offset) for header in reading.headers]
    wish = wanted.wish
    if records_max != wish.records_max:
        wish = wish._replace(records_max=records_max)
    acquired = reading.share.acquire(wish, reading.fetch_offset, log_batches)
    count = sum(part.last_offset - part.first_offset + 1 for part in acquired)
    if acquired and wanted.is_read_committed:
        acquired = _without_aborted(reading, acquired)
    return _Taken(acquired, count)


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
