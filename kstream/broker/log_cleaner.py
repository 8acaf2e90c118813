"""The log cleaner: compacts the partitions whose topics ask for it, the filthiest first.

A round's work runs in a thread of its own. That thread needs the interpreter that requests need too, so it
rests after every slice, for long enough that whoever waits gets it: requests wait for one slice at most.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import trio

from kstream.broker.broker import Broker
from kstream.broker.partition import Partition
from kstream.errors import KstreamError
from kstream.log.cleanable import Cleanable, cleanable, should_clean
from kstream.log.compaction import Compaction, CompactionAborted, Pause
from kstream.log.errors import LogStorageError
from kstream.log.partition import PartitionLog
from kstream.log.segment import Segment

log = logging.getLogger(__name__)

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")

_SLICE_S = 0.0005
_REST_S = 0.0003
_SLEEP_S_MAX = 0.1
"""A throttled thread looks this often whether it should stop."""


class Pacer:
    """What a round calls after each piece of work: rests now and then, and keeps to a number of bytes a
    second.
    """

    __slots__ = ("_bytes", "_bytes_per_s", "_since_s")

    def __init__(self, bytes_per_s: float) -> None:
        self._bytes_per_s = max(bytes_per_s, 1.0)
        self._bytes = 0
        self._since_s = time.perf_counter()

    def __call__(self, size_bytes: int) -> None:
        """Raises trio.Cancelled when the server stops."""
        self._bytes += size_bytes
        worked_s = time.perf_counter() - self._since_s
        if worked_s < _SLICE_S:
            return
        rest_s = max(_REST_S, self._bytes / self._bytes_per_s - worked_s)
        while rest_s > 0:
            trio.from_thread.check_cancelled()
            time.sleep(min(rest_s, _SLEEP_S_MAX))
            rest_s -= _SLEEP_S_MAX
        self._bytes = 0
        self._since_s = time.perf_counter()


class LogCleaner:
    """Runs beside the connections, one round at a time."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._limiter = trio.CapacityLimiter(1)
        self._uncleanable: set[PartitionLog] = set()

    async def run_forever(self) -> None:
        while True:
            if not await self.clean_filthiest():
                await trio.sleep(self._broker.config.log_cleaner_backoff_ms / 1000)

    async def clean_filthiest(self) -> bool:
        """One round over the partition that has most to clean; returns whether there was one."""
        found = await self._find_filthiest()
        if found is None:
            return False
        partition, what = found
        name = f"{partition.topic_name}-{partition.index}"
        try:
            await self._clean(partition, what, name)
        except CompactionAborted as reason:
            log.debug("%s", reason)
        except (LogStorageError, OSError) as error:
            if not partition.log.is_closed:
                log.error("compaction of %s failed: %s", name, error)
            return False
        except KstreamError as error:
            # Its bytes will not change by themselves: trying again would say the same for ever.
            log.error("%s is not compacted until the next start: %s", name, error)
            self._uncleanable.add(partition.log)
        return True

    async def _find_filthiest(self) -> tuple[Partition, Cleanable] | None:
        broker = self._broker
        now_ms = broker.clock.now_ms()
        filthiest: tuple[Partition, Cleanable] | None = None
        for partition in broker.partitions.opened():
            partition_log = partition.log
            if (
                not partition_log.config.is_compacted
                or partition_log.is_closed
                or partition_log in self._uncleanable
            ):
                continue
            cleaned_offset = broker.directory.cleaned_offset(partition.topic_name, partition.index)
            try:
                what = cleanable(partition_log, cleaned_offset, now_ms)
            except (KstreamError, OSError) as error:
                log.error("cannot see what to clean of %r: %s", partition_log, error)
                self._uncleanable.add(partition_log)
                continue
            if should_clean(partition_log, what) and (
                filthiest is None or what.dirty_ratio > filthiest[1].dirty_ratio
            ):
                filthiest = partition, what
            await trio.lowlevel.checkpoint()
        return filthiest

    async def _in_thread(self, function: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
        return await trio.to_thread.run_sync(function, *arguments, limiter=self._limiter)

    async def _clean(self, partition: Partition, what: Cleanable, name: str) -> None:
        broker = self._broker
        config = broker.config
        pause = Pacer(config.log_cleaner_io_max_bytes_per_second)
        began_s = time.perf_counter()
        partition_log = partition.log
        compaction = Compaction(
            partition_log,
            what,
            broker.clock.now_ms(),
            map_bytes=config.log_cleaner_dedupe_buffer_size,
            load_factor=config.log_cleaner_io_buffer_load_factor,
        )
        for group in await self._in_thread(_prepare, compaction, pause):
            cleaned = await self._in_thread(compaction.clean, group, pause)
            removal = compaction.swap(group, cleaned)
            # The old files must not go before the new names are on the disk.
            await self._in_thread(partition_log.platform.sync_directory, partition_log.directory)
            broker.partitions.discard(removal, partition_log.config.file_delete_delay_ms)
        if partition_log.is_closed:
            return
        await self._in_thread(
            broker.directory.write_cleaned_offset,
            partition.topic_name,
            partition.index,
            compaction.end_offset,
        )
        log.info(
            "compacted %s up to offset %d in %.1f s: %d of %d records, %d of %d bytes stay",
            name,
            compaction.end_offset,
            time.perf_counter() - began_s,
            compaction.records_kept,
            compaction.records_read,
            compaction.bytes_kept,
            compaction.bytes_read,
        )


def _prepare(compaction: Compaction, pause: Pause) -> list[list[Segment]]:
    compaction.build_map(pause)
    return compaction.groups()
