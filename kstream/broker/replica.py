"""The seam below which bytes live: above it nothing knows whether a partition is a local log or something
else.

Calls are `async` because another engine will wait; the local log completes appends and resident reads at
once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

import trio

from kstream.broker.stats import Timings
from kstream.log.errors import LogStorageError
from kstream.log.partition import AppendResult, Origin, PartitionLog
from kstream.log.scanning import cold_scan
from kstream.log.slices import LogSlice
from kstream.log.txn_index import CorruptTransactionIndex
from kstream.records.batch import BatchHeader

# Cold reads and flushes share the disk: more threads than this only make its queue longer.
_DISK_THREADS_MAX = 8
READ_AHEAD_BYTES = 8 * 1024 * 1024
"""So much behind a cold read is asked for where its reader goes on from the one before: the next reads find
it there, and need no thread. Nothing more is until they have come that far.
"""
_disk_threads: trio.lowlevel.RunVar[trio.CapacityLimiter] = trio.lowlevel.RunVar("kstream disk threads")


def disk_limiter() -> trio.CapacityLimiter:
    """The limit on threads that wait for the disk, one for each run of the event loop."""
    try:
        return _disk_threads.get()
    except LookupError:
        limiter = trio.CapacityLimiter(_DISK_THREADS_MAX)
        _disk_threads.set(limiter)
        return limiter


class Replica(Protocol):
    """One copy of one partition, of which this broker is the leader."""

    @property
    def flushed_offset(self) -> int:
        """Everything below it is on the disk."""
        ...

    @property
    def appends_at_once(self) -> bool:
        """Whether `append` waits for nothing, so that nothing can come in between."""
        ...

    def append_at_once(
        self, buffer: memoryview | bytes, headers: Sequence[BatchHeader], *, leader_epoch: int, now_ms: int
    ) -> AppendResult: ...

    async def append(
        self,
        buffer: memoryview | bytes,
        headers: Sequence[BatchHeader],
        *,
        leader_epoch: int,
        now_ms: int,
        origin: Origin = Origin.CLIENT,
    ) -> AppendResult: ...

    async def read(
        self,
        offset: int,
        size_bytes_max: int,
        *,
        end_offset: int,
        min_one_batch: bool,
        with_transactions: bool = False,
    ) -> LogSlice: ...

    async def flush(self) -> int: ...


class LocalReplica:
    """A partition in this machine's log directory."""

    __slots__ = ("_cold", "_flush_done", "_flushes", "flushed_offset", "log")

    appends_at_once = True

    def __init__(self, log: PartitionLog, flushes: Timings | None = None) -> None:
        self.log = log
        self._flushes = Timings() if flushes is None else flushes
        self.flushed_offset = 0
        self._flush_done: trio.Event | None = None
        self._cold = (-1, 0, 0)
        """The newest cold read: its segment's base offset, where it began, where what was asked for ends."""

    async def append(
        self,
        buffer: memoryview | bytes,
        headers: Sequence[BatchHeader],
        *,
        leader_epoch: int,
        now_ms: int,
        origin: Origin = Origin.CLIENT,
    ) -> AppendResult:
        """Write batches at the end of the log.

        Raises:
            ApiError: the producer's epoch or sequence does not fit.
            LogStorageError: the disk refused; the log is as it was before.
        """
        return self.log.append(buffer, headers, leader_epoch=leader_epoch, now_ms=now_ms, origin=origin)

    def append_at_once(
        self, buffer: memoryview | bytes, headers: Sequence[BatchHeader], *, leader_epoch: int, now_ms: int
    ) -> AppendResult:
        """The same, for who cannot wait."""
        return self.log.append(buffer, headers, leader_epoch=leader_epoch, now_ms=now_ms)

    async def read(
        self,
        offset: int,
        size_bytes_max: int,
        *,
        end_offset: int,
        min_one_batch: bool,
        with_transactions: bool = False,
    ) -> LogSlice:
        """Find the bytes from the batch that contains `offset`; bring them into the page cache in a thread if
        cold, and likewise what answers `aborted_transactions`, if that will be asked.

        Raises:
            OffsetOutOfRange: the log does not have that offset.
            LogStorageError: the file cannot be opened, or is not what it should be.
        """
        log = self.log
        log.platform.open_files.trim()
        try:
            cold = cold_scan(log, offset)
            if cold is not None:
                await trio.to_thread.run_sync(cold, limiter=disk_limiter())
        except OSError as error:
            raise LogStorageError(f"{log.directory}: {error}") from error
        found = log.read(offset, size_bytes_max, end_offset=end_offset, min_one_batch=min_one_batch)
        try:
            if len(found) and not found.is_resident():
                ahead_bytes = self._ahead_of(found)
                await trio.to_thread.run_sync(_warm, found, ahead_bytes, limiter=disk_limiter())
            if with_transactions:
                cold = log.cold_transactions(offset, found)
                if cold is not None:
                    await trio.to_thread.run_sync(cold, limiter=disk_limiter())
        except (OSError, CorruptTransactionIndex) as error:
            found.release()
            raise LogStorageError(f"{log.directory}: {error}") from error
        except BaseException:
            found.release()
            raise
        return found

    def _ahead_of(self, found: LogSlice) -> int:
        """How much behind a cold slice to ask for."""
        base_offset, begin, end = self._cold
        position = found.position
        goes_on = found.segment_base_offset == base_offset and begin < position <= end
        ahead_bytes = READ_AHEAD_BYTES if goes_on else 0
        self._cold = (found.segment_base_offset, position, position + len(found) + ahead_bytes)
        return ahead_bytes

    async def flush(self) -> int:
        """Make everything appended so far durable; return the offset up to which it is.

        Group commit: requests that arrive while a flush runs share the next one.

        Raises:
            LogStorageError: the disk failed; the log is offline from now on, since a failed fsync proves
            nothing
                when it is tried again.
        """
        wanted = self.log.end_offset
        while self.flushed_offset < wanted:
            if self._flush_done is not None:
                await self._flush_done.wait()
                self.log.check_online()
                continue
            done = self._flush_done = trio.Event()
            end_offset = self.log.end_offset
            try:
                # Shielded: other requests wait for this flush, whatever happens to the connection that began
                # it.
                with trio.CancelScope(shield=True):
                    elapsed_s = await trio.to_thread.run_sync(_timed_flush, self.log, limiter=disk_limiter())
                self._flushes.record(elapsed_s)
                self.flushed_offset = end_offset
            finally:
                self._flush_done = None
                done.set()
        return self.flushed_offset


def _warm(found: LogSlice, ahead_bytes: int) -> None:
    found.warm()
    if ahead_bytes:
        found.read_ahead(ahead_bytes)


def _timed_flush(log: PartitionLog) -> float:
    """Flush, and return how many of the machine's seconds that took, without the wait for a thread."""
    began_s = time.perf_counter()
    log.flush()
    return time.perf_counter() - began_s
