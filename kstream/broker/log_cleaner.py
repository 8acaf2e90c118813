"""The log cleaner: compacts the partitions whose topics ask for it, the filthiest first.

As many workers as `log.cleaner.threads` says take one log each. A round's work is done by a process that each
worker starts when it has some, see `compaction_child`; where that cannot be, or files are written in a way
that only this process knows, by a thread at the pace of `cleaner_pace`.
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
from kstream.broker.cleaner_pace import ChildPace, Pacer, Throttle
from kstream.broker.compaction_child import CannotStart, CompactionChild, Install
from kstream.broker.partition import Partition
from kstream.config.broker import BrokerConfig
from kstream.errors import KstreamError
from kstream.log.cleanable import Cleanable
from kstream.log.compaction import Compaction
from kstream.log.compaction_job import CleanedGroup, CompactionJob, Outcome
from kstream.log.errors import CompactionAborted, LogStorageError
from kstream.log.platform import Platform

if TYPE_CHECKING:
    from kstream.log.batch_cleaning import Pause
    from kstream.log.compaction_work import CompactionWork

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
        self._child_pace = ChildPace(self._throttle)
        self._rate_bytes_per_s = broker.config.log_cleaner_io_max_bytes_per_second
        self._has_warned = False
        self._workers = 0
        self._configured = trio.Event()
        broker.config.on_change(self._on_config)

    def _on_config(self, config: BrokerConfig) -> None:
        if config.log_cleaner_io_max_bytes_per_second != self._rate_bytes_per_s:
            self._rate_bytes_per_s = config.log_cleaner_io_max_bytes_per_second
            self._child_pace.rate_changed()
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
        child = CompactionChild(self._child_pace)
        try:
            while self._workers <= config.log_cleaner_threads:
                configured = self._configured
                if not await self.clean_filthiest(child):
                    await child.end()
                    with trio.move_on_after(config.log_cleaner_backoff_ms / 1000):
                        await configured.wait()
            self._workers -= 1  # before anything is waited for, or another one would go, too
        finally:
            await child.end()

    async def clean_filthiest(self, child: CompactionChild | None = None) -> bool:
        """One round over the partition that has most to clean, in a thread unless there is a process for it;
        returns whether there was one.
        """
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
            await self._clean(partition, what, name, pause, child)
        except CompactionAborted as reason:
            log.debug("%s", reason)
        except (LogStorageError, OSError) as error:
            if not (partition.log.is_closed or partition.log.is_offline):  # which was said when it went
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

    async def _clean(
        self, partition: Partition, what: Cleanable, name: str, pause: Pause, child: CompactionChild | None
    ) -> None:
        broker = self._broker
        config = broker.config
        threads = config.log_cleaner_threads
        began_s = time.perf_counter()
        partition_log = partition.log
        compaction = Compaction(
            partition_log,
            what,
            broker.clock.now_ms(),
            map_bytes=config.log_cleaner_dedupe_buffer_size // threads,
            load_factor=config.log_cleaner_io_buffer_load_factor,
            # One half is for reading, one for writing.
            piece_bytes=max(config.log_cleaner_io_buffer_size // threads // 2, _PIECE_BYTES_MIN),
        )

        async def install(cleaned: CleanedGroup) -> None:
            await self._in_thread(compaction.pin, cleaned)
            removal = compaction.swap(cleaned)
            # The old files must not go before the new names are on the disk.
            await self._in_thread(partition_log.platform.sync_directory, partition_log.directory)
            broker.partitions.discard(removal, partition_log.config.file_delete_delay_ms)

        try:
            # Neither a record nor what the job knows of a producer must go for what a power cut may take.
            await partition.replica.flush()
            outcome = await self._done(compaction.job, partition_log.platform, install, pause, child)
        except BaseException as error:
            with trio.CancelScope(shield=True):
                await self._in_thread(compaction.discard_unswapped)
            if isinstance(error, (KstreamError, OSError)) and compaction.has_lost_its_log():
                raise CompactionAborted(f"{name} changed while it was compacted: {error}") from error
            raise
        if partition_log.is_closed:
            return
        await self._in_thread(
            broker.directory.write_cleaned_offset, partition.topic_name, partition.index, outcome.end_offset
        )
        log.info(
            "compacted %s up to offset %d in %.1f s: %d of %d records, %d of %d bytes stay",
            name,
            outcome.end_offset,
            time.perf_counter() - began_s,
            outcome.records_kept,
            outcome.records_read,
            outcome.bytes_kept,
            outcome.bytes_read,
        )

    async def _done(
        self,
        job: CompactionJob,
        platform: Platform,
        install: Install,
        pause: Pause,
        child: CompactionChild | None,
    ) -> Outcome:
        if child is not None and platform.is_plain:
            try:
                return await child.run(job, platform, install)
            except CannotStart as error:
                if not self._has_warned:
                    log.warning("compaction has no process of its own, and holds requests up: %s", error)
                    self._has_warned = True
        work = await self._in_thread(_work, job, platform)
        groups = work.run(pause)
        while (cleaned := await self._in_thread(next, groups, None)) is not None:
            await install(cleaned)
        return work.outcome


def _work(job: CompactionJob, platform: Platform) -> CompactionWork:
    """NumPy comes with it: imported at the first round that is done here, and in its thread."""
    from kstream.log.compaction_work import CompactionWork

    return CompactionWork(job, platform)
