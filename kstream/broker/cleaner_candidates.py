"""Which log to compact next: the one with the largest dirty part, among all that ask for compaction.

A partition that nobody opened is judged by the names and sizes of its files. That says how dirty it can be at
most, and it is opened only once that is more than any other log has.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

import trio

from kstream.broker.broker import Broker
from kstream.broker.cleaner_pace import Pacer
from kstream.broker.partition import Partition
from kstream.errors import ApiError, KstreamError
from kstream.log.cleanable import (
    Cleanable,
    SegmentSizes,
    cleanable,
    dirty_ratio_at_most,
    should_clean,
    sizes_in,
)
from kstream.log.config import LogConfig
from kstream.log.partition import PartitionLog

log = logging.getLogger(__name__)

_TOPICS_AT_ONCE = 64

UnopenedKey = tuple[bytes, int]
"""Topic id and partition index."""


class Unopened(NamedTuple):
    """A partition that has a directory, and no open log."""

    topic_name: str
    topic_id: bytes
    partition: int
    config: LogConfig


class CleanerCandidates:
    """Finds the next log to compact. Logs in `excluded` are in somebody's hands, or cannot be cleaned."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.excluded: set[PartitionLog] = set()
        # Nobody writes to what is not open, so its directory is read once.
        self._sizes: dict[UnopenedKey, SegmentSizes] = {}

    async def filthiest(self, pause: Pacer) -> tuple[Partition, Cleanable] | None:
        """The partition with the largest share of dirty bytes, if any is worth a round."""
        now_ms = self._broker.clock.now_ms()
        found: tuple[Partition, Cleanable] | None = None
        for partition in self._broker.partitions.opened():
            found = _filthier(found, self._judge(partition, now_ms))
            await trio.lowlevel.checkpoint()
        unopened = await self._unopened()
        if not unopened:
            self._sizes.clear()
            return found
        ratios = await trio.to_thread.run_sync(self._ratios, unopened, now_ms, pause)
        for ratio, which in sorted(ratios, key=lambda pair: -pair[0]):
            if found is not None and found[1].dirty_ratio >= ratio:
                break
            try:
                partition = await self._broker.partitions.wait_open(which.topic_id, which.partition)
            except ApiError as error:
                log.error("cannot see what to clean of %s-%d: %s", which.topic_name, which.partition, error)
                self._sizes[which.topic_id, which.partition] = ()
            else:
                found = _filthier(found, self._judge(partition, now_ms))
        return found

    def _judge(self, partition: Partition, now_ms: int) -> tuple[Partition, Cleanable] | None:
        partition_log = partition.log
        if not partition_log.config.is_compacted or partition_log in self.excluded:
            return None
        if partition_log.is_closed or partition_log.is_offline:
            return None
        cleaned_offset = self._broker.directory.cleaned_offset(partition.topic_name, partition.index)
        try:
            what = cleanable(partition_log, cleaned_offset, now_ms)
        except (KstreamError, OSError) as error:
            log.error("cannot see what to clean of %r: %s", partition_log, error)
            self.excluded.add(partition_log)
            return None
        return (partition, what) if should_clean(partition_log, what) else None

    async def _unopened(self) -> list[Unopened]:
        broker = self._broker
        directory = broker.directory
        image = broker.metadata.image
        found: list[Unopened] = []
        default = ",".join(broker.config.log_cleanup_policy)
        for number, topic in enumerate(list(image.topics_by_name.values())):
            if number % _TOPICS_AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
            if "compact" not in image.topic_configs(topic.name).get("cleanup.policy", default):
                continue
            closed = [
                wanted.index
                for wanted in topic.partitions
                if wanted.leader == broker.node_id
                and directory.open_log(topic.name, wanted.index) is None
                and (topic.name, wanted.index) not in directory.unrecovered
            ]
            if closed:
                config = broker.log_config(topic.name)
                found += [Unopened(topic.name, topic.topic_id, index, config) for index in closed]
        return found

    def _ratios(self, unopened: list[Unopened], now_ms: int, pause: Pacer) -> list[tuple[float, Unopened]]:
        """The dirty ratio of each that may be worth a round. For a thread."""
        known, self._sizes = self._sizes, {}
        directory = self._broker.directory
        ratios = []
        for which in unopened:
            key = (which.topic_id, which.partition)
            path = directory.partition_path(which.topic_name, which.partition)
            try:
                sizes = self._sizes[key] = known[key] if key in known else sizes_in(path)
                ratio = dirty_ratio_at_most(
                    path,
                    sizes,
                    which.config,
                    cleaned_offset=directory.cleaned_offset(which.topic_name, which.partition),
                    log_start_offset=directory.log_start_offset(which.topic_name, which.partition),
                    now_ms=now_ms,
                )
            except OSError as error:
                # Never opened, so there is no directory yet; or deleted meanwhile, or a disk that refuses.
                log.debug("nothing to clean in %s: %s", path, error)
                self._sizes[key] = ()
                continue
            if ratio > 0:
                ratios.append((ratio, which))
            pause(0)
        return ratios


def _filthier(
    one: tuple[Partition, Cleanable] | None, other: tuple[Partition, Cleanable] | None
) -> tuple[Partition, Cleanable] | None:
    if one is None or other is None:
        return one or other
    return other if other[1].dirty_ratio > one[1].dirty_ratio else one
