"""DeleteRecords, versions 0-2 (KIP-107).

- The log start offset moves up to the given offset, or to the high watermark for -1, and never back; it is
  on the disk before the answer. The space comes back with the next round of retention.
- 1 behind the high watermark or below -1, 3 for unknown partitions, 17 for internal topics, 44 for topics
  that are compacted only.
- A partition that is named twice is answered once, for the last offset.
"""

from __future__ import annotations

import trio

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.replica import disk_limiter
from kstream.errors import ApiError, ErrorCode
from kstream.log.errors import LogStorageError, OffsetOutOfRange
from kstream.wire.apis import ApiKey
from kstream.wire.messages.delete_records import (
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)

HIGH_WATERMARK = -1
_NO_WATERMARK = -1


@handles(ApiKey.DELETE_RECORDS)
async def handle(context: RequestContext, request: DeleteRecordsRequest) -> DeleteRecordsResponse:
    wanted: dict[str, dict[int, int]] = {}
    for topic in request.topics:
        for partition in topic.partitions:
            wanted.setdefault(topic.name, {})[partition.partition_index] = partition.offset
    response = DeleteRecordsResponse()
    for name, offsets in wanted.items():
        results = [await _delete(context, name, index, offset) for index, offset in offsets.items()]
        response.topics.append(DeleteRecordsTopicResult(name=name, partitions=results))
    await _remember(context, response)
    return response


async def _delete(
    context: RequestContext, topic_name: str, index: int, offset: int
) -> DeleteRecordsPartitionResult:
    result = DeleteRecordsPartitionResult(partition_index=index, low_watermark=_NO_WATERMARK)
    try:
        partition = await context.broker.partitions.get(topic_name, index)
        if context.broker.metadata.image.topics_by_name[topic_name].is_internal:
            raise ApiError(ErrorCode.INVALID_TOPIC_EXCEPTION)
        if not partition.log.config.is_deleted:
            raise ApiError(ErrorCode.POLICY_VIOLATION)
        before_offset = partition.high_watermark if offset == HIGH_WATERMARK else offset
        if not 0 <= before_offset <= partition.high_watermark:
            raise ApiError(ErrorCode.OFFSET_OUT_OF_RANGE)
        result.low_watermark = partition.log.delete_records(before_offset)
    except ApiError as error:
        result.error_code = error.code
    except OffsetOutOfRange:
        result.error_code = ErrorCode.OFFSET_OUT_OF_RANGE
    except LogStorageError:
        result.error_code = ErrorCode.KAFKA_STORAGE_ERROR
    return result


async def _remember(context: RequestContext, response: DeleteRecordsResponse) -> None:
    """Write down where the logs begin, once for all of the request."""
    deleted = [
        partition for topic in response.topics for partition in topic.partitions if not partition.error_code
    ]
    if not deleted:
        return
    try:
        await trio.to_thread.run_sync(context.broker.directory.write_log_starts, limiter=disk_limiter())
    except OSError:
        for partition in deleted:
            partition.low_watermark = _NO_WATERMARK
            partition.error_code = ErrorCode.KAFKA_STORAGE_ERROR
