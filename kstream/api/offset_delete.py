"""OffsetDelete, version 0.

- Forgets positions of a group (KIP-496). Partitions that do not exist get UNKNOWN_TOPIC_OR_PARTITION, topics
  that a member subscribes to GROUP_SUBSCRIBED_TO_TOPIC.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)


@handles(ApiKey.OFFSET_DELETE)
async def handle(context: RequestContext, request: OffsetDeleteRequest) -> OffsetDeleteResponse:
    image = context.broker.metadata.image
    answers: dict[str, OffsetDeleteResponseTopic] = {}
    wanted: dict[str, OffsetDeleteRequestTopic] = {}
    for topic in request.topics:
        found = image.topics_by_name.get(topic.name)
        count = 0 if found is None else len(found.partitions)
        for partition in topic.partitions:
            index = partition.partition_index
            if 0 <= index < count:
                known = wanted.setdefault(topic.name, OffsetDeleteRequestTopic(name=topic.name))
                known.partitions.append(partition)
                continue
            answer = answers.setdefault(topic.name, OffsetDeleteResponseTopic(name=topic.name))
            answer.partitions.append(
                OffsetDeleteResponsePartition(
                    partition_index=index, error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                )
            )
    request.topics = list(wanted.values())
    try:
        response = await context.broker.groups.delete_offsets(request)
    except ApiError as error:
        return OffsetDeleteResponse(error_code=error.code)
    for topic_answer in response.topics:
        begun = answers.get(topic_answer.name)
        if begun is None:
            answers[topic_answer.name] = topic_answer
        else:
            begun.partitions += topic_answer.partitions
    response.topics = list(answers.values())
    return response
