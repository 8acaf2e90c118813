"""OffsetFetch, versions 1-10.

- Positions of groups, -1 where there is none. No topics (null, from 2 on) asks for all that the group has.
- 2: an error for the whole; before, it is the error of each partition. 5: leader epochs. 7: `require_stable`,
  UNSTABLE_OFFSET_COMMIT for what a transaction may yet change (KIP-447). 8: many groups (KIP-709). 9: member
  id and epoch, checked in groups of KIP-848 (STALE_MEMBER_EPOCH). 10: topic ids in place of names: an unknown
  one gets UNKNOWN_TOPIC_ID, and an offset committed to a former topic of that name is none.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ApiError, ErrorCode
from kstream.groups.commit import NO_OFFSET, WantedTopic
from kstream.wire.apis import ApiKey
from kstream.wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)
from kstream.wire.uuids import ZERO_UUID

_FIRST_VERSION_WITH_ERROR = 2
_FIRST_VERSION_WITH_GROUPS = 8
_FIRST_VERSION_WITH_IDS = 10


@handles(ApiKey.OFFSET_FETCH)
async def handle(context: RequestContext, request: OffsetFetchRequest) -> OffsetFetchResponse:
    if context.api_version >= _FIRST_VERSION_WITH_GROUPS:
        return OffsetFetchResponse(
            groups=[await _fetch(context, group, request.require_stable) for group in request.groups]
        )
    topics = None
    if request.topics is not None:
        topics = [
            OffsetFetchRequestTopics(name=topic.name, partition_indexes=topic.partition_indexes)
            for topic in request.topics
        ]
    wanted = OffsetFetchRequestGroup(group_id=request.group_id, topics=topics)
    found = await _fetch(context, wanted, request.require_stable)
    return _single(context, wanted, found)


async def _fetch(
    context: RequestContext, wanted: OffsetFetchRequestGroup, require_stable: bool
) -> OffsetFetchResponseGroup:
    """One group's positions."""
    by_id = context.api_version >= _FIRST_VERSION_WITH_IDS
    image = context.broker.metadata.image
    topics: list[WantedTopic] | None = None
    unknown: list[OffsetFetchResponseTopics] = []
    if wanted.topics is not None:
        topics = []
        for topic in wanted.topics:
            if not by_id:
                topics.append(WantedTopic(topic.name, ZERO_UUID, topic.partition_indexes))
                continue
            known = image.topics_by_id.get(topic.topic_id)
            if known is None:
                unknown.append(_unknown_topic(topic))
            else:
                topics.append(WantedTopic(known.name, known.topic_id, topic.partition_indexes))
    try:
        found = await context.broker.groups.fetch(
            wanted.group_id,
            topics,
            require_stable=require_stable,
            member_id=wanted.member_id,
            member_epoch=wanted.member_epoch,
        )
    except ApiError as error:
        return OffsetFetchResponseGroup(group_id=wanted.group_id, error_code=error.code)
    if by_id and wanted.topics is None:
        _identify(context, found)
    found.topics += unknown
    return found


def _unknown_topic(topic: OffsetFetchRequestTopics) -> OffsetFetchResponseTopics:
    return OffsetFetchResponseTopics(
        topic_id=topic.topic_id,
        partitions=[
            OffsetFetchResponsePartitions(
                partition_index=index,
                committed_offset=NO_OFFSET,
                metadata="",
                error_code=ErrorCode.UNKNOWN_TOPIC_ID,
            )
            for index in topic.partition_indexes
        ],
    )


def _identify(context: RequestContext, found: OffsetFetchResponseGroup) -> None:
    """Topics by id, for whom asked for all of them; a topic that is gone has none, and is left out."""
    image = context.broker.metadata.image
    identified = []
    for topic in found.topics:
        known = image.topics_by_name.get(topic.name)
        if known is not None:
            topic.topic_id = known.topic_id
            identified.append(topic)
    found.topics = identified


def _single(
    context: RequestContext, wanted: OffsetFetchRequestGroup, found: OffsetFetchResponseGroup
) -> OffsetFetchResponse:
    """The answer of versions that ask for one group."""
    response = OffsetFetchResponse(error_code=found.error_code)
    if found.error_code != ErrorCode.NONE:
        if context.api_version < _FIRST_VERSION_WITH_ERROR:
            response.topics = _all_refused(wanted, found.error_code)
        return response
    for topic in found.topics:
        partitions = [
            OffsetFetchResponsePartition(
                partition_index=partition.partition_index,
                committed_offset=partition.committed_offset,
                committed_leader_epoch=partition.committed_leader_epoch,
                metadata=partition.metadata,
                error_code=partition.error_code,
            )
            for partition in topic.partitions
        ]
        response.topics.append(OffsetFetchResponseTopic(name=topic.name, partitions=partitions))
    return response


def _all_refused(wanted: OffsetFetchRequestGroup, error_code: int) -> list[OffsetFetchResponseTopic]:
    return [
        OffsetFetchResponseTopic(
            name=topic.name,
            partitions=[
                OffsetFetchResponsePartition(
                    partition_index=index, committed_offset=NO_OFFSET, metadata="", error_code=error_code
                )
                for index in topic.partition_indexes
            ],
        )
        for topic in wanted.topics or ()
    ]
