"""CreatePartitions, versions 0-3.

- Each topic for itself: 3 unknown, 37 no increase, 39 assignment, 42 for a name given twice; 44 for more
than 10,000
  new partitions in a request.
- `validate_only` decides everything and writes nothing. A timeout that is not positive gets
REQUEST_TIMED_OUT.
"""

from __future__ import annotations

from collections import Counter

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.create_partitions import GrownTopic, NewPartitions, create_partitions
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
    CreatePartitionsTopicResult,
)


@handles(ApiKey.CREATE_PARTITIONS)
async def handle(context: RequestContext, request: CreatePartitionsRequest) -> CreatePartitionsResponse:
    wanted = [_new_partitions(topic) for topic in request.topics]
    counts = Counter(topic.name for topic in request.topics)
    try:
        # The time is looked at once there is something to do: not if every name occurs twice.
        if request.timeout_ms <= 0 and 1 in counts.values():
            raise ApiError(ErrorCode.REQUEST_TIMED_OUT)
        grown = await context.broker.metadata.update(
            lambda image: create_partitions(image, wanted, validate_only=request.validate_only)
        )
    except ApiError as error:
        grown = [GrownTopic(topic.name, error) for topic in request.topics]
    return CreatePartitionsResponse(results=[_result(topic) for topic in grown])


def _new_partitions(topic: CreatePartitionsTopic) -> NewPartitions:
    if topic.assignments is None:
        return NewPartitions(topic.name, topic.count)
    return NewPartitions(topic.name, topic.count, [assignment.broker_ids for assignment in topic.assignments])


def _result(topic: GrownTopic) -> CreatePartitionsTopicResult:
    result = CreatePartitionsTopicResult(name=topic.name)
    if topic.error is not None:
        result.error_code = topic.error.code
        result.error_message = topic.error.message
    return result
