"""What a broker does by itself: retention, compaction, flushes by time, checkpoints, and unlinking what is no
longer wanted.
"""

from __future__ import annotations

import logging

import trio

from kstream.broker.broker import Broker
from kstream.broker.log_cleaner import LogCleaner
from kstream.broker.metadata.image import TopicImage
from kstream.broker.partition import Partition
from kstream.broker.replica import disk_limiter
from kstream.errors import ApiError
from kstream.log.config import LogConfig
from kstream.log.errors import LogStorageError
from kstream.log.retention import may_have_expired

log = logging.getLogger(__name__)

_FLUSH_CHECK_S = 1.0
_UNLINK_CHECK_S = 1.0
_SNAPSHOT_CHECK_S = 1.0


class Housekeeping:
    """Runs beside the connections; everything that may wait for the disk runs in threads."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def run_forever(self) -> None:
        config = self._broker.config
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._retain_forever, config.log_retention_check_interval_ms / 1000)
            nursery.start_soon(
                self._checkpoint_forever, config.log_flush_offset_checkpoint_interval_ms / 1000
            )
            nursery.start_soon(self._flush_forever)
            nursery.start_soon(self._unlink_forever)
            nursery.start_soon(self._snapshot_forever)
            if config.log_cleaner_enable:
                nursery.start_soon(LogCleaner(self._broker).run_forever)
            nursery.start_soon(self._broker.partitions.recovery.run)

    async def _retain_forever(self, interval_s: float) -> None:
        while True:
            await trio.sleep(interval_s)
            await self.retain()

    async def retain(self) -> None:
        """Drop expired segments and producers of every partition. One that nobody opened is looked at from
        outside, and opened only if something of it has expired.
        """
        now_ms = self._broker.clock.now_ms()
        for partition in self._broker.partitions.opened():
            self._retain(partition, now_ms)
            await trio.lowlevel.checkpoint()
        for topic in list(self._broker.metadata.image.topics_by_name.values()):
            for index in await self._expired_unopened(topic, now_ms):
                try:
                    self._retain(await self._broker.partitions.wait_open(topic.name, index), now_ms)
                except ApiError as error:
                    log.error("retention of %s-%d failed: %s", topic.name, index, error)

    def _retain(self, partition: Partition, now_ms: int) -> None:
        try:
            removal = partition.log.delete_old_segments(now_ms)
            partition.log.expire_producers(now_ms)
        except (OSError, LogStorageError) as error:
            log.error("retention of %s-%d failed: %s", partition.topic_name, partition.index, error)
        else:
            self._broker.partitions.discard(removal, partition.log.config.file_delete_delay_ms)

    async def _expired_unopened(self, topic: TopicImage, now_ms: int) -> list[int]:
        directory = self._broker.directory
        closed = [
            wanted.index
            for wanted in topic.partitions
            if wanted.leader == self._broker.node_id
            and directory.open_log(topic.name, wanted.index) is None
            and (topic.name, wanted.index) not in directory.unrecovered
        ]
        if not closed:
            return []
        config = self._broker.log_config(topic.name)

        def look() -> list[int]:
            return [index for index in closed if self._may_have_expired(topic.name, index, config, now_ms)]

        return await trio.to_thread.run_sync(look, limiter=disk_limiter())

    def _may_have_expired(self, topic_name: str, index: int, config: LogConfig, now_ms: int) -> bool:
        try:
            return may_have_expired(self._broker.directory.partition_path(topic_name, index), config, now_ms)
        except FileNotFoundError:  # never opened, or deleted meanwhile
            return False
        except OSError as error:
            log.error("retention of %s-%d failed: %s", topic_name, index, error)
            return False

    async def _checkpoint_forever(self, interval_s: float) -> None:
        while True:
            await trio.sleep(interval_s)
            try:
                await trio.to_thread.run_sync(
                    self._broker.directory.write_checkpoints, limiter=disk_limiter()
                )
            except OSError as error:
                log.error("checkpoints were not written: %s", error)

    async def _flush_forever(self) -> None:
        while True:
            await trio.sleep(_FLUSH_CHECK_S)
            self._broker.stats.fold_full()  # what connections could not count
            await self.flush()

    async def flush(self) -> None:
        """Sync what has waited as long as `flush.ms` allows."""
        now_ms = self._broker.clock.now_ms()
        for partition in self._broker.partitions.opened():
            if partition.must_flush(now_ms):
                try:
                    await partition.replica.flush()
                except LogStorageError as error:
                    log.error("%s-%d was not flushed: %s", partition.topic_name, partition.index, error)

    async def _unlink_forever(self) -> None:
        while True:
            await trio.sleep(_UNLINK_CHECK_S)
            self._broker.directory.trim_open_files()
            await self.unlink()

    async def _snapshot_forever(self) -> None:
        while True:
            await trio.sleep(_SNAPSHOT_CHECK_S)
            if self._broker.metadata.is_snapshot_due():
                try:
                    removal = await self._broker.metadata.write_snapshot()
                    await trio.to_thread.run_sync(removal.finish, limiter=disk_limiter())
                except (OSError, LogStorageError) as error:
                    log.error("the metadata has no new snapshot, and its log stays as it is: %s", error)

    async def unlink(self) -> None:
        """Unlink files whose time has come (`file.delete.delay.ms`)."""
        unwanted = self._broker.partitions.unwanted
        now_ms = self._broker.clock.now_ms()
        for _ in range(len(unwanted)):
            removal = unwanted.popleft()
            if removal.due_ms > now_ms:
                unwanted.append(removal)
                continue
            try:
                await trio.to_thread.run_sync(removal.finish, limiter=disk_limiter())
            except OSError as error:
                log.error("files of deleted records are still there: %s", error)
