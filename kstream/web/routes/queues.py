"""Share groups as queues: how much waits, what waits, and doing away with it."""

from __future__ import annotations

import msgspec

from kstream.broker.broker import Broker
from kstream.broker.queue_stats import QueueStats, queue_stats
from kstream.broker.share_partition import SharePartition
from kstream.errors import ApiError, ErrorCode
from kstream.shares.state_store import ShareKey
from kstream.testing.reading import committed_records
from kstream.web.operation import BadRequest, Call, NotFound, Operation
from kstream.web.text import Bytes, to_json
from kstream.wire.messages.alter_share_group_offsets import (
    AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsRequestPartition,
    AlterShareGroupOffsetsRequestTopic,
)

_TAG = "queues"
_PEEK_MAX = 1_000


class QueuePartition(msgspec.Struct):
    """A partition of a queue; counts are since the server's start."""

    topic: str
    partition: int
    start_offset: int
    depth: int
    in_flight: int
    scheduled: int
    oldest_age_ms: int | None
    delivered: int
    redelivered: int
    accepted: int
    given_up: int
    dead_lettered: int


class Queue(msgspec.Struct):
    """A queue: how many records are not done with in all, and its partitions."""

    group: str
    depth: int
    partitions: list[QueuePartition]


class HowMany(msgspec.Struct):
    """How many records to show."""

    limit: int = 10


class QueuedRecord(msgspec.Struct):
    """A record that is not done with, and how often it was delivered."""

    topic: str
    partition: int
    offset: int
    state: str
    delivery_count: int
    timestamp_ms: int
    key: Bytes
    value: Bytes
    headers: list[tuple[str, Bytes]]


async def describe_queue(call: Call) -> Queue:
    stats = await _stats(call)
    return Queue(
        call.path["group"],
        sum(each.depth for each in stats),
        [QueuePartition(*each) for each in stats],
    )


async def peek(call: Call) -> list[QueuedRecord]:
    """The first records of each partition that are not done with, without touching them."""
    if not 1 <= call.query.limit <= _PEEK_MAX:
        raise BadRequest(f"limit is from 1 to {_PEEK_MAX}")
    found: list[QueuedRecord] = []
    for each in await _stats(call):
        found += await _peek(call.running.broker, call.path["group"], each, call.query.limit)
    return found


async def purge(call: Call) -> None:
    """Have a group without members begin behind everything that is there now."""
    broker, group = call.running.broker, call.path["group"]
    topics: dict[str, list[AlterShareGroupOffsetsRequestPartition]] = {}
    for each in await _stats(call):
        end = (await broker.partitions.get(each.topic, each.partition)).high_watermark
        topics.setdefault(each.topic, []).append(
            AlterShareGroupOffsetsRequestPartition(partition_index=each.partition, start_offset=end)
        )
    wanted = [
        AlterShareGroupOffsetsRequestTopic(topic_name=name, partitions=partitions)
        for name, partitions in topics.items()
    ]
    answer = await broker.groups.share.alter_offsets(
        AlterShareGroupOffsetsRequest(group_id=group, topics=wanted)
    )
    errors = [
        answer.error_code,
        *(partition.error_code for topic in answer.responses for partition in topic.partitions),
    ]
    for code in errors:
        if code:
            raise ApiError(ErrorCode(code))


async def _stats(call: Call) -> list[QueueStats]:
    try:
        return await queue_stats(call.running.broker, call.path["group"])
    except ApiError as error:
        # NOT_COORDINATOR: there was never a group here, so nothing that coordinates one.
        if error.code in (ErrorCode.GROUP_ID_NOT_FOUND, ErrorCode.NOT_COORDINATOR):
            raise NotFound(f"there is no share group {call.path['group']}") from None
        raise


async def _peek(broker: Broker, group: str, stats: QueueStats, limit: int) -> list[QueuedRecord]:
    topic_id = broker.metadata.image.topics_by_name[stats.topic].topic_id
    share = await broker.shares.get(ShareKey(group, topic_id, stats.partition))
    try:
        return await _first_records(share, stats, limit)
    finally:
        broker.shares.drop_if_unused(share)


async def _first_records(share: SharePartition, stats: QueueStats, limit: int) -> list[QueuedRecord]:
    partition = share.partition
    found: list[QueuedRecord] = []
    offset = stats.start_offset
    while len(found) < limit:
        offset = share.first_open(offset)
        events = await committed_records(partition, offset, count_max=limit)
        if not events:
            break
        for event in events:
            assert event.offset is not None
            offset = event.offset + 1
            state, count = share.state_of(event.offset)
            if state in ("ACKNOWLEDGED", "ARCHIVED") or len(found) == limit:
                continue
            found.append(
                QueuedRecord(
                    stats.topic,
                    stats.partition,
                    event.offset,
                    state,
                    count,
                    event.timestamp_ms,
                    to_json(event.key),
                    to_json(event.value),
                    [(name, to_json(value)) for name, value in event.headers],
                )
            )
    return found


OPERATIONS = (
    Operation(  # before the group itself, whose name may contain slashes
        "GET",
        "/v1/queues/{group}/records",
        "The first records of a share group that are not done with",
        peek,
        _TAG,
        query=HowMany,
        answer=list[QueuedRecord],
        errors=(404,),
    ),
    Operation(
        "DELETE",
        "/v1/queues/{group}/records",
        "Have a share group without members begin behind all that is there",
        purge,
        _TAG,
        status=204,
        errors=(404, 409),
    ),
    Operation(
        "GET",
        "/v1/queues/{group}",
        "How much waits for a share group, and what has become of the rest",
        describe_queue,
        _TAG,
        answer=Queue,
        errors=(404,),
    ),
)
