"""OffsetForLeaderEpoch, versions 2-4: where the records of a leader epoch end (KIP-101, KIP-320).

- An epoch that the log never had is answered with the largest one below it; none at all is -1 and -1.
- The newest epoch ends at the log's end. 3: the replica that asks. 4: tagged fields.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ApiError
from kstream.wire.apis import ApiKey
from kstream.wire.messages.offset_for_leader_epoch import (
    EpochEndOffset,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
)


@handles(ApiKey.OFFSET_FOR_LEADER_EPOCH)
async def handle(
    context: RequestContext, request: OffsetForLeaderEpochRequest
) -> OffsetForLeaderEpochResponse:
    response = OffsetForLeaderEpochResponse()
    for topic in request.topics:
        result = OffsetForLeaderTopicResult(topic=topic.topic)
        response.topics.append(result)
        for wanted in topic.partitions:
            result.partitions.append(await _end_offset(context, topic.topic, wanted))
    return response


async def _end_offset(
    context: RequestContext, topic_name: str, wanted: OffsetForLeaderPartition
) -> EpochEndOffset:
    answer = EpochEndOffset(partition=wanted.partition)
    try:
        partition = await context.broker.partitions.get(topic_name, wanted.partition)
        partition.check_leader_epoch(wanted.current_leader_epoch)
    except ApiError as error:
        answer.error_code = error.code
        return answer
    answer.leader_epoch, answer.end_offset = partition.log.end_offset_for_epoch(wanted.leader_epoch)
    return answer
