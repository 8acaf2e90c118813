"""TxnOffsetCommit, versions 0-6.

- Positions of a group that count once the producer's transaction is committed; until then OffsetFetch answers
  UNSTABLE_OFFSET_COMMIT to those who ask for stable ones.
- 3: the member that commits, which must be of the present generation (KIP-447). 4: TRANSACTION_ABORTABLE if
  the group was not added to the transaction, INVALID_TXN_STATE before. 5: the request itself adds it
  (KIP-890). 6: topic ids in place of names.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.enlisting import FirstBatch, Generation, enlist
from kstream.broker.metadata.image import TopicImage
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestTopic,
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)

_FIRST_VERSION_WITH_LOADING = 2
_FIRST_VERSION_WITH_ABORTABLE = 4
_FIRST_VERSION_THAT_ADDS = 5
_FIRST_VERSION_WITH_IDS = 6


@handles(ApiKey.TXN_OFFSET_COMMIT)
async def handle(context: RequestContext, request: TxnOffsetCommitRequest) -> TxnOffsetCommitResponse:
    response = TxnOffsetCommitResponse()
    wanted: list[TxnOffsetCommitRequestTopic] = []
    for topic in request.topics:
        known = _known_part(context, topic, response)
        if known.partitions:
            wanted.append(known)
    if not wanted:
        return response
    request.topics = wanted
    try:
        committed = (await _commit(context, request)).topics
    except ApiError as error:
        code = error.code
        if (
            code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
            and context.api_version < _FIRST_VERSION_WITH_LOADING
        ):
            code = ErrorCode.COORDINATOR_NOT_AVAILABLE
        committed = [_refused(topic, code) for topic in wanted]
    _merge(response, committed)
    return response


async def _commit(context: RequestContext, request: TxnOffsetCommitRequest) -> TxnOffsetCommitResponse:
    """Have the group added or verified, and write. Raises ApiError."""
    broker = context.broker
    version = context.api_version
    partition = await broker.groups.partition_of(request.group_id)
    batch = FirstBatch(None, partition, request.producer_id, request.producer_epoch)
    generation = Generation(
        adds=version >= _FIRST_VERSION_THAT_ADDS, knows_abortable=version >= _FIRST_VERSION_WITH_ABORTABLE
    )
    enlisted = await enlist(broker.transactions, request.transactional_id, [batch], generation)
    try:
        return await broker.groups.commit_in_transaction(request, context.caller(), enlisted.guard(None))
    finally:
        enlisted.release()


def _known_part(
    context: RequestContext, topic: TxnOffsetCommitRequestTopic, response: TxnOffsetCommitResponse
) -> TxnOffsetCommitRequestTopic:
    """The partitions of a topic that exist, with its name; the others are answered."""
    image = context.broker.metadata.image
    found: TopicImage | None
    if context.api_version >= _FIRST_VERSION_WITH_IDS:
        found, unknown = image.topics_by_id.get(topic.topic_id), ErrorCode.UNKNOWN_TOPIC_ID
    else:
        found, unknown = image.topics_by_name.get(topic.name), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    known = TxnOffsetCommitRequestTopic(name=topic.name, topic_id=topic.topic_id)
    if found is not None:
        known.name, known.topic_id = found.name, found.topic_id
        unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    count = 0 if found is None else len(found.partitions)
    absent = TxnOffsetCommitRequestTopic(name=known.name, topic_id=known.topic_id)
    for partition in topic.partitions:
        is_known = 0 <= partition.partition_index < count
        (known if is_known else absent).partitions.append(partition)
    if absent.partitions:
        response.topics.append(_refused(absent, unknown))
    return known


def _refused(topic: TxnOffsetCommitRequestTopic, code: ErrorCode) -> TxnOffsetCommitResponseTopic:
    return TxnOffsetCommitResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        partitions=[
            TxnOffsetCommitResponsePartition(partition_index=partition.partition_index, error_code=code)
            for partition in topic.partitions
        ],
    )


def _merge(response: TxnOffsetCommitResponse, committed: list[TxnOffsetCommitResponseTopic]) -> None:
    """Add the coordinator's answers; a topic that is there already gets the partitions."""
    by_name = {topic.name: topic for topic in response.topics}
    for topic in committed:
        found = by_name.get(topic.name)
        if found is None:
            response.topics.append(topic)
        else:
            found.partitions += topic.partitions
