"""OffsetCommit, versions 2-10.

- Writes positions of a group down. Partitions that do not exist get UNKNOWN_TOPIC_OR_PARTITION, topic ids
  UNKNOWN_TOPIC_ID; the others go to the group's coordinator, whose refusal is the error of each of them.
- 2-4: how long to keep them. 6: leader epochs. 7: static members. 9: GROUP_ID_NOT_FOUND for a group that does
  not exist. 10: topic ids in place of names (KIP-848), which are kept with the offsets.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.image import TopicImage
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)

_FIRST_VERSION_WITH_IDS = 10


@handles(ApiKey.OFFSET_COMMIT)
async def handle(context: RequestContext, request: OffsetCommitRequest) -> OffsetCommitResponse:
    response = OffsetCommitResponse()
    wanted: list[OffsetCommitRequestTopic] = []
    for topic in request.topics:
        known = _known_part(context, topic, response)
        if known.partitions:
            wanted.append(known)
    if not wanted:
        return response
    request.topics = wanted
    try:
        committed = await context.broker.groups.commit(request, context.caller())
    except ApiError as error:
        committed = _refused(wanted, error.code)
    _merge(response, committed)
    return response


def _known_part(
    context: RequestContext, topic: OffsetCommitRequestTopic, response: OffsetCommitResponse
) -> OffsetCommitRequestTopic:
    """The partitions of a topic that exist, with its name; the others are answered."""
    image = context.broker.metadata.image
    found: TopicImage | None
    if context.api_version >= _FIRST_VERSION_WITH_IDS:
        found, unknown = image.topics_by_id.get(topic.topic_id), ErrorCode.UNKNOWN_TOPIC_ID
    else:
        found, unknown = image.topics_by_name.get(topic.name), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    known = OffsetCommitRequestTopic(name=topic.name, topic_id=topic.topic_id)
    if found is not None:
        known.name, known.topic_id = found.name, found.topic_id
        unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    count = 0 if found is None else len(found.partitions)
    errors = []
    for partition in topic.partitions:
        if 0 <= partition.partition_index < count:
            known.partitions.append(partition)
        else:
            errors.append(
                OffsetCommitResponsePartition(partition_index=partition.partition_index, error_code=unknown)
            )
    if errors:
        answer = OffsetCommitResponseTopic(name=known.name, topic_id=known.topic_id, partitions=errors)
        response.topics.append(answer)
    return known


def _refused(topics: list[OffsetCommitRequestTopic], error_code: ErrorCode) -> OffsetCommitResponse:
    return OffsetCommitResponse(
        topics=[
            OffsetCommitResponseTopic(
                name=topic.name,
                topic_id=topic.topic_id,
                partitions=[
                    OffsetCommitResponsePartition(
                        partition_index=partition.partition_index, error_code=error_code
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in topics
        ]
    )


def _merge(response: OffsetCommitResponse, committed: OffsetCommitResponse) -> None:
    """Add the coordinator's answers; a topic that is there already gets the partitions."""
    by_name = {topic.name: topic for topic in response.topics}
    for topic in committed.topics:
        found = by_name.get(topic.name)
        if found is None:
            response.topics.append(topic)
        else:
            found.partitions += topic.partitions
