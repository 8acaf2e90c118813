"""ShareAcknowledge, versions 1-2 (KIP-932).

- Accepts, releases and rejects what a member has acquired, within its share session: 122 if there is
  none, 123 for an epoch out of order; epoch -1 ends the session and releases the rest.
- All of a partition's acknowledgements are carried out, or none: 121 for records that the member does not
  have, 42 for ones that make no sense.
- 2: renewing locks (KIP-1222), and how long they last.
"""

from __future__ import annotations

from collections.abc import Mapping

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.share_acknowledging import AcknowledgeResult, acknowledge_all
from kstream.broker.share_sessions import FINAL_EPOCH, INITIAL_EPOCH, ShareSessionKey
from kstream.errors import ApiError, ErrorCode
from kstream.shares.limits import AcknowledgeType
from kstream.wire.apis import ApiKey
from kstream.wire.messages.share_acknowledge import (
    LeaderIdAndEpoch,
    PartitionData,
    ShareAcknowledgeRequest,
    ShareAcknowledgeResponse,
    ShareAcknowledgeTopicResponse,
)

_FIRST_VERSION_WITH_RENEWAL = 2
_MEMBER_ID_LENGTH_MAX = 36
LEADER_MOVED = frozenset({ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH})
"""With these an answer says who leads the partition."""


@handles(ApiKey.SHARE_ACKNOWLEDGE)
async def handle(context: RequestContext, request: ShareAcknowledgeRequest) -> ShareAcknowledgeResponse:
    try:
        member = share_member(context, request.group_id, request.member_id)
        _go_on(context, member, request.share_session_epoch)
    except ApiError as error:
        return ShareAcknowledgeResponse(error_code=error.code)
    has_renewal = context.api_version >= _FIRST_VERSION_WITH_RENEWAL
    results = await acknowledge_all(
        context.broker,
        member,
        (
            (topic.topic_id, partition.partition_index, partition.acknowledgement_batches)
            for topic in request.topics
            for partition in topic.partitions
        ),
        types_max=AcknowledgeType.RENEW if has_renewal else AcknowledgeType.REJECT,
        is_renewing=request.is_renew_ack,
    )
    if request.share_session_epoch == FINAL_EPOCH:
        context.broker.shares.end_session(member)
    return answer_to(context, member, results)


def answer_to(
    context: RequestContext, member: ShareSessionKey, results: Mapping[tuple[bytes, int], AcknowledgeResult]
) -> ShareAcknowledgeResponse:
    """The answer that says what became of each partition's acknowledgements."""
    config = context.broker.shares.settings.config_of(member.group_id)
    response = ShareAcknowledgeResponse(acquisition_lock_timeout_ms=config.record_lock_duration_ms)
    topics: dict[bytes, ShareAcknowledgeTopicResponse] = {}
    for (topic_id, index), (error_code, error_message) in results.items():
        if topic_id not in topics:
            topics[topic_id] = ShareAcknowledgeTopicResponse(topic_id=topic_id)
            response.responses.append(topics[topic_id])
        data = PartitionData(partition_index=index, error_code=error_code, error_message=error_message)
        if error_code in LEADER_MOVED:
            leader_id, leader_epoch = leader_of(context, topic_id, index)
            data.current_leader = LeaderIdAndEpoch(leader_id=leader_id, leader_epoch=leader_epoch)
        topics[topic_id].partitions.append(data)
    return response


def share_member(context: RequestContext, group_id: str | None, member_id: str | None) -> ShareSessionKey:
    """Whose request it is.

    Raises:
        ApiError: UNSUPPORTED_VERSION where there are no share groups, INVALID_REQUEST for ids that cannot be.
    """
    if not context.broker.groups.has_share_groups:
        raise ApiError(ErrorCode.UNSUPPORTED_VERSION)
    if group_id is None:
        raise ApiError(ErrorCode.INVALID_REQUEST)
    if not member_id or len(member_id) > _MEMBER_ID_LENGTH_MAX:
        raise ApiError(ErrorCode.INVALID_REQUEST)
    return ShareSessionKey(group_id, member_id)


def leader_of(context: RequestContext, topic_id: bytes, index: int) -> tuple[int, int]:
    """The leader of a partition and its epoch, -1 where nobody knows."""
    topic = context.broker.metadata.image.topics_by_id.get(topic_id)
    if topic is None or not 0 <= index < len(topic.partitions):
        return -1, -1
    partition = topic.partitions[index]
    return partition.leader, partition.leader_epoch


def _go_on(context: RequestContext, member: ShareSessionKey, epoch: int) -> None:
    sessions = context.broker.shares.sessions
    if epoch == INITIAL_EPOCH:
        raise ApiError(ErrorCode.INVALID_SHARE_SESSION_EPOCH)
    if epoch == FINAL_EPOCH:
        sessions.get(member)
    else:
        sessions.go_on(member, epoch)
