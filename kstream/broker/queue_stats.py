"""How a share group stands in each of its partitions: what waits, what is out, what became of the rest."""

from __future__ import annotations

from typing import NamedTuple

from kstream.broker.broker import Broker
from kstream.broker.share_counts import ShareCounts
from kstream.errors import ApiError
from kstream.log.errors import LogStorageError, OffsetOutOfRange
from kstream.records.batch import iter_headers
from kstream.shares.state_store import ShareKey


class QueueStats(NamedTuple):
    """One partition of a group. `oldest_age_ms` is how old its first record that is not done is."""

    topic: str
    partition: int
    start_offset: int
    depth: int
    """Records that are not done with, those that are out among them."""
    in_flight: int
    scheduled: int
    """Of those that wait, how many wait for their time."""
    oldest_age_ms: int | None
    delivered: int
    redelivered: int
    accepted: int
    given_up: int
    dead_lettered: int


async def queue_stats(broker: Broker, group_id: str) -> list[QueueStats]:
    """All partitions that the group has a state of.

    Raises:
        ApiError: GROUP_ID_NOT_FOUND, or the group's coordinator is not ready.
    """
    topics = await broker.groups.share.positions.describe(group_id, None)
    found = []
    for topic in topics:
        for partition in topic.partitions:
            if partition.start_offset >= 0:
                key = ShareKey(group_id, topic.topic_id, partition.partition_index)
                found.append(
                    await _stats(broker, key, topic.topic_name, partition.start_offset, partition.lag)
                )
    return sorted(found)


async def _stats(broker: Broker, key: ShareKey, topic: str, start_offset: int, lag: int) -> QueueStats:
    share = broker.shares.find(key)
    in_flight = scheduled = 0
    if share is not None:
        start_offset = share.window.start_offset
        in_flight = share.window.locks.records
        scheduled = share.scheduled
        lag = share.partition.high_watermark - start_offset - share.window.delivery_complete_count
    counts = broker.shares.counts_of(key) or ShareCounts()
    return QueueStats(
        topic,
        key.partition,
        start_offset,
        max(lag, 0),
        in_flight,
        scheduled,
        await _oldest_age_ms(broker, topic, key.partition, start_offset) if lag > 0 else None,
        counts.delivered,
        counts.redelivered,
        counts.accepted,
        counts.given_up,
        counts.dead_lettered,
    )


async def _oldest_age_ms(broker: Broker, topic: str, index: int, offset: int) -> int | None:
    """How old the batch with an offset is; None if it cannot be told."""
    try:
        partition = await broker.partitions.get(topic, index)
        begin = max(offset, partition.log.log_start_offset)
        found = await partition.read(begin, 1, end_offset=partition.high_watermark, min_one_batch=True)
    except (ApiError, LogStorageError, OffsetOutOfRange):
        return None
    try:
        for header in iter_headers(found.view(), partial_ok=True):
            return max(0, broker.clock.now_ms() - header.base_timestamp_ms)
    finally:
        found.release()
    return None
