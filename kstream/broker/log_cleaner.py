"""The log cleaner: compacts the partitions whose topics ask for it, the filthiest first.

As many workers as `log.cleaner.threads` says take one log each. A round's work runs in a thread, at the pace
of `cleaner_pace`.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

import trio

from kstream.broker.broker import Broker
from kstream.broker.cleaner_candidates import CleanerCandidates
from kstream.broker.cleaner_pace import Pacer, Throttle
from kstream.broker.partition import Partition
from kstream.config.broker import BrokerConfig
from kstream.errors import KstreamError
from kstream.log.cleanable import Cleanable
from kstream.log.errors import CompactionAborted, LogStorageError
from kstream.log.segment import Segment

if TYPE_CHECKING:
    from kstream.log.batch_cleaning import Pause
    from kstream.log.compaction import Compaction

log = logging.getLogger(__name__)

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")

_PIECE_BYTES_MIN = 4096


class LogCleaner:
    """Runs beside the connections."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._limiter = trio.CapacityLimiter(math.inf)  # the number of workers is the limit
        self._candidates = CleanerCandidates(broker)
        self._choosing = trio.Lock()
        self._throttle = Throttle(lambda: broker.config.log_cleaner_io_max_bytes_per_second)
        self._workers = 0
        self._configured = trio.Event()
        broker.config.on_change(self._on_config)

    def _on_config(self, config: BrokerConfig) -> None:
        self._configured.set()
        self._configured = trio.Event()

    async def run_forever(self) -> None:
        async with trio.open_nursery() as nursery:
            while True:
                configured = self._configured
                while self._workers < self._broker.config.log_cleaner_threads:
                    self._workers += 1
                    nursery.start_soon(self._work)
                await configured.wait()

    async def _work(self) -> None:
        """One worker, until there are more than the setting says."""
        config = self._broker.config
        while self._workers <= config.log_cleaner_threads:
            configured = self._configured
            if not await self.clean_filthiest():
                with trio.move_on_after(config.log_cleaner_backoff_ms / 1000):
                    await configured.wait()
        self._workers -= 1

    async def clean_filthiest(self) -> bool:
        """One round over the partition that has most to clean; returns whether there was one."""
        pause = Pacer(self._throttle)
        excluded = self._candidates.excluded
        async with self._choosing:
            found = await self._candidates.filthiest(pause)
            if found is None:
                return False
            partition, what = found
            excluded.add(partition.log)
        name = f"{partition.topic_name}-{partition.index}"
        is_cleanable = True
        try:
            await self._clean(partition, what, name, pause)
        except CompactionAborted as reason:
            log.debug("%s", reason)
        except (LogStorageError, OSError) as error:
            if not partition.log.is_closed:
                log.error("compaction of %s failed: %s", name, error)
            return False
        except KstreamError as error:
            # Its bytes will not change by themselves: trying again would say the same for ever.
            log.error("%s is not compacted until the next start: %s", name, error)
            is_cleanable = False
        finally:
            if is_cleanable:
                excluded.discard(partition.log)
        return True

    async def _in_thread(self, function: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
        return await trio.to_thread.run_sync(function, *arguments, limiter=self._limiter)

    async def _clean(self, partition: Partition, what: Cleanable, name: str, pause: Pause) -> None:
        broker = self._broker
        config = broker.config
        threads = config.log_cleaner_threads
        began_s = time.perf_counter()
        partition_log = partition.log
        compaction_class = await self._in_thread(_compaction_class)
        compaction = compaction_class(
            partition_log,
            what,
            broker.clock.now_ms(),
            map_bytes=config.log_cleaner_dedupe_buffer_size // threads,
            load_factor=config.log_cleaner_io_buffer_load_factor,
            # One half is for reading, one for writing.
            piece_bytes=max(config.log_cleaner_io_buffer_size // threads // 2, _PIECE_BYTES_MIN),
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


def _compaction_class() -> type[Compaction]:
    """Imported at the first round, and in its thread: NumPy comes with it."""
    from kstream.log.compaction import Compaction

    return Compaction


def _prepare(compaction: Compaction, pause: Pause) -> list[list[Segment]]:
    compaction.build_map(pause)
    return compaction.groups()
