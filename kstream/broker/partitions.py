"""The partitions this broker leads, opened at first use.

Who leads a partition, and at which epoch, is asked of the metadata image each time one is opened or changes;
nothing here assumes that there is only one broker.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable

import trio

from kstream.broker.metadata.delta import MetadataDelta
from kstream.broker.metadata.image import TopicImage
from kstream.broker.metadata.store import MetadataStore
from kstream.broker.partition import Partition
from kstream.broker.recovery import PATIENCE_S, Recovery
from kstream.broker.replica import disk_limiter
from kstream.broker.stats import BrokerStats
from kstream.clock import Clock
from kstream.errors import ApiError, ErrorCode
from kstream.log.config import LogConfig
from kstream.log.directory import LogDirectory
from kstream.log.errors import LogStorageError
from kstream.log.partition import PartitionLog
from kstream.log.retention import Removal

log = logging.getLogger(__name__)

TopicKey = str | bytes
"""A topic's name, or its id."""

_OPENED_AT_ONCE = 4
"""For one request: fewer than there are disk threads, so that others' requests find one."""


class Partitions:
    """Partitions by topic name and by topic id, and their life from creation to deletion."""

    def __init__(
        self,
        node_id: int,
        metadata: MetadataStore,
        directory: LogDirectory,
        clock: Clock,
        log_config_of: Callable[[str], LogConfig],
        stats: BrokerStats,
        recovery_threads: Callable[[], int],
    ) -> None:
        self._node_id = node_id
        self._metadata = metadata
        self._directory = directory
        self._clock = clock
        self._log_config_of = log_config_of
        self._stats = stats
        self.recovery = Recovery(directory, self._open_partition, recovery_threads)
        self._open: dict[tuple[TopicKey, int], Partition] = {}
        self._opening: dict[tuple[str, int], trio.Lock] = {}
        self._configs: dict[bytes, LogConfig] = {}
        """Of topics whose partitions were opened, by topic id, until the metadata change."""
        self.on_open: Callable[[Partition], None] | None = None
        """Is given each partition that is opened, before anybody has it."""
        self.unwanted: deque[Removal] = deque()
        """Files of deleted topics and expired segments, for housekeeping to unlink in a thread."""
        if len(directory.leftovers):
            self.unwanted.append(directory.leftovers)
        metadata.on_change(self._on_metadata)

    async def get(self, topic: TopicKey, index: int) -> Partition:
        """The partition, by its topic's name or id, for a client that can come back if it is not ready.

        Raises:
            ApiError: UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, NOT_LEADER_OR_FOLLOWER or
            KAFKA_STORAGE_ERROR.
        """
        partition = self._open.get((topic, index))
        if partition is not None:
            return partition
        await self.recovery.wait_ready((self._resolve(topic, index)[0].name, index), PATIENCE_S)
        return await self._open_partition(topic, index)

    async def wait_open(self, topic: TopicKey, index: int) -> Partition:
        """As `get`, however long it takes to check the partition after an unclean stop."""
        partition = self._open.get((topic, index))
        if partition is not None:
            return partition
        await self.recovery.wait_ready((self._resolve(topic, index)[0].name, index))
        return await self._open_partition(topic, index)

    async def open_ahead(self, wanted: Iterable[tuple[TopicKey, int]]) -> None:
        """Have partitions opened, several at a time, which a request will ask for one by one.

        What is wrong with one is said by `get`.
        """
        closed = [which for which in wanted if which not in self._open]
        if len(closed) < 2:
            return
        remaining = iter(closed)

        async def work() -> None:
            for topic, index in remaining:
                with contextlib.suppress(ApiError):
                    await self.get(topic, index)

        async with trio.open_nursery() as nursery:
            for _ in range(min(_OPENED_AT_ONCE, len(closed))):
                nursery.start_soon(work)

    def find(self, topic: TopicKey, index: int) -> Partition | None:
        """The partition, if it is open now."""
        return self._open.get((topic, index))

    def opened(self) -> list[Partition]:
        """Every partition that is open now."""
        return [partition for (topic, _), partition in self._open.items() if isinstance(topic, str)]

    def check_leads(self, topic: TopicKey, index: int) -> None:
        """Raises ApiError if there is no such partition, or this broker does not lead it."""
        self._resolve(topic, index)

    def _resolve(self, topic: TopicKey, index: int) -> tuple[TopicImage, int]:
        """The topic and the leader epoch of a partition that exists and is ours."""
        image = self._metadata.image
        if isinstance(topic, str):
            found = image.topics_by_name.get(topic)
            unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        else:
            found = image.topics_by_id.get(topic)
            unknown = ErrorCode.UNKNOWN_TOPIC_ID
        if found is None:
            raise ApiError(unknown)
        if not 0 <= index < len(found.partitions):
            raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        wanted = found.partitions[index]
        if wanted.leader != self._node_id:
            raise ApiError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        return found, wanted.leader_epoch

    async def _open_partition(self, topic: TopicKey, index: int) -> Partition:
        key = (self._resolve(topic, index)[0].name, index)
        lock = self._opening.setdefault(key, trio.Lock())
        try:
            async with lock:
                partition = self._open.get((topic, index))
                return await self._open_in_thread(topic, index) if partition is None else partition
        finally:
            if not lock.locked():
                self._opening.pop(key, None)

    async def _open_in_thread(self, topic: TopicKey, index: int) -> Partition:
        while True:
            found, leader_epoch = self._resolve(topic, index)
            config = self._config_for(found)
            try:
                opened = await trio.to_thread.run_sync(
                    self._open_log, found, index, config, leader_epoch, limiter=disk_limiter()
                )
            except LogStorageError as error:
                self._resolve(topic, index)
                log.error("cannot open %s-%d: %s", found.name, index, error)
                raise ApiError(ErrorCode.KAFKA_STORAGE_ERROR) from error
            if found.topic_id in self._metadata.image.topics_by_id:
                break
            # Deleted while it was being opened: that goes; a new topic of the name may be there.
            self._remove_files(found.name, index)
        # Both as they are now: they may have changed while the thread was at work.
        leader_epoch = self._resolve(found.topic_id, index)[1]
        opened.config = self._config_for(found)
        partition = Partition(
            found.name,
            found.topic_id,
            index,
            opened,
            leader_epoch=leader_epoch,
            flushes=self._stats.flushes,
        )
        if self.on_open is not None:
            self.on_open(partition)
        self._open[(found.name, index)] = partition
        self._open[(found.topic_id, index)] = partition
        return partition

    def _config_for(self, topic: TopicImage) -> LogConfig:
        """What a log is opened with: the same for all partitions of a topic."""
        config = self._configs.get(topic.topic_id)
        if config is None:
            config = self._configs[topic.topic_id] = self._log_config_of(topic.name)
        return config

    def _open_log(self, topic: TopicImage, index: int, config: LogConfig, leader_epoch: int) -> PartitionLog:
        """For a thread."""
        opened = self._directory.open_partition(
            topic.name, index, config, topic_id=topic.topic_id, now_ms=self._clock.now_ms()
        )
        opened.begin_epoch(leader_epoch)  # which writes a file
        return opened

    def _on_metadata(self, delta: MetadataDelta) -> None:
        self._configs.clear()
        for topic in delta.topics_deleted.values():
            for index in range(len(topic.partitions)):
                self._delete(topic, index)
        for topic in delta.topics_changed.values():
            for wanted in topic.partitions:
                partition = self._open.get((topic.topic_id, wanted.index))
                if partition is not None and wanted.leader_epoch != partition.leader_epoch:
                    partition.begin_epoch(wanted.leader_epoch)
        if delta.broker_configs_changed:
            self._configure(self.opened())
        elif delta.topic_configs_changed:
            changed = set(delta.topic_configs_changed)
            self._configure([partition for partition in self.opened() if partition.topic_name in changed])

    def _delete(self, topic: TopicImage, index: int) -> None:
        partition = self._open.pop((topic.topic_id, index), None)
        if partition is not None:
            del self._open[(topic.name, index)]
            partition.on_deleted()
            self._stats.elsewhere.add(partition.counted())
        self._remove_files(topic.name, index)

    def _remove_files(self, topic_name: str, index: int) -> None:
        opened = self._directory.open_log(topic_name, index)
        # Of a topic that is gone, only an open log still knows the configuration.
        config = self._log_config_of(topic_name) if opened is None else opened.config
        delay_ms = config.file_delete_delay_ms
        try:
            removal = self._directory.delete_partition(topic_name, index)
        except FileNotFoundError:
            log.debug("the files of %s-%d are gone already", topic_name, index)
        except OSError as error:
            log.error("cannot delete the files of %s-%d: %s", topic_name, index, error)
        else:
            if removal is not None:
                self.discard(removal, delay_ms)

    def discard(self, removal: Removal, delay_ms: int) -> None:
        """Have files unlinked by housekeeping, `delay_ms` from now."""
        if len(removal):
            removal.due_ms = self._clock.now_ms() + delay_ms
            self.unwanted.append(removal)

    def _configure(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            partition.configure(self._log_config_of(partition.topic_name))

    def close(self) -> None:
        """Close every open log cleanly. Blocks while they are synced."""
        for error in self._directory.close_logs([partition.log for partition in self.opened()]):
            log.error("%s", error)
        self._open.clear()
