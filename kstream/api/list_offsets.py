"""ListOffsets, versions 1-11.

- Time to offset, exact to the record: the first record at or after the timestamp.
- Special timestamps: -1 latest (the high watermark, or the last stable offset for read_committed), -2
  earliest, -3 the record with the largest timestamp (7, KIP-734), -4 earliest on local disk (8, KIP-405), -5
  latest in tiered storage (9, KIP-1005), -6 earliest not yet uploaded there (11, KIP-1023). There is no
  tiered storage: -4 is the earliest, -5 and -6 are unknown (-1). A special timestamp in a version before its
  own gets UNSUPPORTED_VERSION.
- 2: isolation level. 4: leader epochs. 10: a timeout, for tiered reads alone.
- A partition that is named twice is answered once, with INVALID_REQUEST; an isolation level that is none gets
  UNKNOWN_SERVER_ERROR, as in Kafka.
"""

from __future__ import annotations

import logging

import trio

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.partition import Partition
from kstream.broker.replica import disk_limiter
from kstream.errors import ApiError, ErrorCode
from kstream.log.errors import LogStorageError
from kstream.records.errors import CorruptBatch
from kstream.wire.apis import ApiKey
from kstream.wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)

log = logging.getLogger(__name__)

_PARTITIONS_PER_TURN = 256
"""A request may name a hundred thousand: after so many, other connections have their turn."""

LATEST = -1
EARLIEST = -2
MAX_TIMESTAMP = -3
EARLIEST_LOCAL = -4
LATEST_TIERED = -5
EARLIEST_PENDING_UPLOAD = -6

_FIRST_VERSION = {
    LATEST: 1,
    EARLIEST: 1,
    MAX_TIMESTAMP: 7,
    EARLIEST_LOCAL: 8,
    LATEST_TIERED: 9,
    EARLIEST_PENDING_UPLOAD: 11,
}
_READ_UNCOMMITTED, _READ_COMMITTED = 0, 1

Found = tuple[int, int, int]
"""Timestamp, offset, leader epoch; each -1 where there is none."""

_NOT_FOUND: Found = (-1, -1, -1)


@handles(ApiKey.LIST_OFFSETS)
async def handle(context: RequestContext, request: ListOffsetsRequest) -> ListOffsetsResponse:
    if request.isolation_level not in (_READ_UNCOMMITTED, _READ_COMMITTED):
        return _refuse_all(request, ErrorCode.UNKNOWN_SERVER_ERROR)
    topics: dict[str, dict[int, ListOffsetsPartition]] = {}
    repeated: set[tuple[str, int]] = set()
    for topic in request.topics:
        # A topic of which nothing is asked is not answered.
        partitions = topics.setdefault(topic.name, {}) if topic.partitions else {}
        for wanted in topic.partitions:
            if wanted.partition_index in partitions:
                repeated.add((topic.name, wanted.partition_index))
            partitions[wanted.partition_index] = wanted
    await context.broker.partitions.open_ahead(
        (name, index) for name, partitions in topics.items() for index in partitions
    )
    response = ListOffsetsResponse()
    for name, partitions in topics.items():
        answer = ListOffsetsTopicResponse(name=name)
        response.topics.append(answer)
        for number, wanted in enumerate(partitions.values(), 1):
            if not number % _PARTITIONS_PER_TURN:
                await trio.lowlevel.checkpoint()
            error_code, found = ErrorCode.NONE, _NOT_FOUND
            if (name, wanted.partition_index) in repeated:
                error_code = ErrorCode.INVALID_REQUEST
            else:
                try:
                    found = await _find(context, name, wanted, request.isolation_level)
                except ApiError as error:
                    error_code = error.code
                except CorruptBatch as error:
                    # Large batches are stored unopened: whoever wrote one that does not open shall not
                    # cost others their connections.
                    log.warning("no search by time in %s-%d: %s", name, wanted.partition_index, error)
                    error_code = ErrorCode.CORRUPT_MESSAGE
                except (LogStorageError, OSError) as error:
                    log.error("no search by time in %s-%d: %s", name, wanted.partition_index, error)
                    error_code = ErrorCode.KAFKA_STORAGE_ERROR
            timestamp, offset, leader_epoch = found
            answer.partitions.append(
                ListOffsetsPartitionResponse(
                    partition_index=wanted.partition_index,
                    error_code=error_code,
                    timestamp=timestamp,
                    offset=offset,
                    leader_epoch=leader_epoch if context.api_version >= 4 else -1,
                )
            )
    return response


def _refuse_all(request: ListOffsetsRequest, error_code: ErrorCode) -> ListOffsetsResponse:
    return ListOffsetsResponse(
        topics=[
            ListOffsetsTopicResponse(
                name=topic.name,
                partitions=[
                    ListOffsetsPartitionResponse(
                        partition_index=wanted.partition_index, error_code=error_code
                    )
                    for wanted in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


async def _find(
    context: RequestContext, topic_name: str, wanted: ListOffsetsPartition, isolation_level: int
) -> Found:
    timestamp = wanted.timestamp
    if timestamp < 0 and context.api_version < _FIRST_VERSION.get(timestamp, 1 << 15):
        raise ApiError(ErrorCode.UNSUPPORTED_VERSION)
    partition = await context.broker.partitions.get(topic_name, wanted.partition_index)
    partition.check_leader_epoch(wanted.current_leader_epoch)
    partition_log = partition.log
    if timestamp == LATEST:
        return (-1, _end_offset(partition, isolation_level), partition.leader_epoch)
    if timestamp in (EARLIEST, EARLIEST_LOCAL):
        log_start_offset = partition_log.log_start_offset
        return (-1, log_start_offset, _epoch_of(partition, log_start_offset))
    if timestamp in (LATEST_TIERED, EARLIEST_PENDING_UPLOAD):
        return _NOT_FOUND
    if timestamp == MAX_TIMESTAMP:
        found = await trio.to_thread.run_sync(partition_log.max_timestamp, limiter=disk_limiter())
    else:
        found = await trio.to_thread.run_sync(
            partition_log.offset_for_timestamp, timestamp, limiter=disk_limiter()
        )
    # The end as it is now: what was appended during the search can be what was found.
    if found is None or found.offset >= _end_offset(partition, isolation_level):
        return _NOT_FOUND
    return (found.timestamp_ms, found.offset, _epoch_of(partition, found.offset))


def _end_offset(partition: Partition, isolation_level: int) -> int:
    return partition.last_stable_offset if isolation_level == _READ_COMMITTED else partition.high_watermark


def _epoch_of(partition: Partition, offset: int) -> int:
    return partition.log.leader_epochs.epoch_of(offset)
