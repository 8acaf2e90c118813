"""ShareFetch, versions 1-2 (KIP-932).

- Within a share session acquires records for a member, each with a lock that expires, and takes
  acknowledgements of earlier ones along. A session's first request has epoch 0 and no acknowledgements;
  epoch -1 ends it and releases what the member has.
- Waits for `min_bytes` up to `max_wait_ms`, also for records that others release or lose.
- An answer within a session leaves out partitions of which there is nothing to say.
- 2: never more records than asked for (KIP-1206); renewing locks, with a request that fetches nothing
  (KIP-1222).
"""

from __future__ import annotations

from collections.abc import Sequence

import trio

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.api.share_acknowledge import LEADER_MOVED, leader_of, share_member
from kstream.broker.share_acknowledging import AcknowledgeResult, acknowledge_all
from kstream.broker.share_fetching import Fetched, ShareFetchWish, fetch_shares
from kstream.broker.share_sessions import (
    FINAL_EPOCH,
    INITIAL_EPOCH,
    SessionPartition,
    ShareSession,
    ShareSessionKey,
)
from kstream.errors import ApiError, ErrorCode
from kstream.shares.acquiring import Wish
from kstream.shares.limits import AcknowledgeType, AcquireMode
from kstream.shares.state_store import ShareKey
from kstream.wire.apis import ApiKey
from kstream.wire.messages.share_fetch import (
    AcquiredRecords,
    LeaderIdAndEpoch,
    PartitionData,
    ShareFetchableTopicResponse,
    ShareFetchRequest,
    ShareFetchResponse,
)

_FIRST_VERSION_WITH_RENEWAL = 2

Place = tuple[bytes, int]
"""Topic id and partition."""


@handles(ApiKey.SHARE_FETCH)
async def handle(context: RequestContext, request: ShareFetchRequest) -> ShareFetchResponse:
    has_acknowledgements = any(
        partition.acknowledgement_batches for topic in request.topics for partition in topic.partitions
    )
    try:
        member = share_member(context, request.group_id, request.member_id)
        _check_renewal(request)
        session = _session(context, member, request, has_acknowledgements=has_acknowledgements)
    except ApiError as error:
        if error.code is ErrorCode.SHARE_SESSION_LIMIT_REACHED:
            # Whoever finds no place would otherwise ask again and again.
            await trio.sleep(max(0, request.max_wait_ms) / 1000)
        return ShareFetchResponse(error_code=error.code)
    is_first = request.share_session_epoch == INITIAL_EPOCH
    results: dict[Place, AcknowledgeResult] = {}
    if has_acknowledgements:
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
    answers: dict[Place, PartitionData] = {}
    if session is not None and not request.is_renew_ack:
        answers = await _fetch(context, member, session, request)
        if not is_first:
            answers = _news(session, answers)
    if request.share_session_epoch == FINAL_EPOCH:
        context.broker.shares.end_session(member)
    return _respond(context, member, answers, results)


def _check_renewal(request: ShareFetchRequest) -> None:
    """Raises ApiError INVALID_REQUEST for a request that renews and wants records as well."""
    wants_records = request.max_bytes or request.min_bytes or request.max_records or request.max_wait_ms
    if request.is_renew_ack and wants_records:
        raise ApiError(ErrorCode.INVALID_REQUEST)


def _session(
    context: RequestContext,
    member: ShareSessionKey,
    request: ShareFetchRequest,
    *,
    has_acknowledgements: bool,
) -> ShareSession | None:
    """The session that the request begins or continues; None if it ends one.

    Raises:
        ApiError: INVALID_REQUEST, SHARE_SESSION_NOT_FOUND, INVALID_SHARE_SESSION_EPOCH,
        SHARE_SESSION_LIMIT_REACHED.
    """
    sessions = context.broker.shares.sessions
    epoch = request.share_session_epoch
    if epoch == FINAL_EPOCH:
        sessions.get(member)
        return None
    by_id = context.broker.metadata.image.topics_by_id
    wanted = [
        (
            topic.topic_id,
            partition.partition_index,
            found.name if (found := by_id.get(topic.topic_id)) else None,
        )
        for topic in request.topics
        for partition in topic.partitions
    ]
    if epoch == INITIAL_EPOCH:
        if has_acknowledgements:
            raise ApiError(ErrorCode.INVALID_REQUEST)
        session = sessions.begin(member, context.connection_id)
        session.add(wanted, is_news=False)
        return session
    session = sessions.go_on(member, epoch)
    session.add(wanted, is_news=True)
    session.forget(
        (topic.topic_id, index) for topic in request.forgotten_topics_data for index in topic.partitions
    )
    return session


async def _fetch(
    context: RequestContext, member: ShareSessionKey, session: ShareSession, request: ShareFetchRequest
) -> dict[Place, PartitionData]:
    broker = context.broker
    answers: dict[Place, PartitionData] = {}
    keys: list[ShareKey] = []
    for partition in session.partitions.values():
        place = (partition.topic_id, partition.index)
        error_code = _known(context, partition)
        if error_code:
            answers[place] = PartitionData(
                partition_index=partition.index, error_code=error_code, records=b""
            )
        else:
            keys.append(ShareKey(member.group_id, *place))
    size_bytes_max = min(request.max_bytes, broker.config.fetch_max_bytes)
    is_limited = request.share_acquire_mode == AcquireMode.RECORD_LIMIT
    wanted = ShareFetchWish(
        wish=Wish(
            member_id=member.member_id,
            records_max=request.max_records,
            batch_size=request.batch_size,
            mode=AcquireMode.RECORD_LIMIT if is_limited else AcquireMode.BATCH_OPTIMIZED,
        ),
        size_bytes_min=min(request.min_bytes, size_bytes_max),
        size_bytes_max=size_bytes_max,
        wait_max_s=max(0, request.max_wait_ms) / 1000,
        is_read_committed=broker.shares.settings.config_of(member.group_id).is_read_committed,
        names_all=request.share_session_epoch == INITIAL_EPOCH
        or any(partition.is_news for partition in session.partitions.values()),
    )
    fetched = await fetch_shares(broker.shares, _turned(keys, request.share_session_epoch), wanted)
    for key, found in fetched.items():
        answers[(key.topic_id, key.partition)] = _partition_data(context, key, found)
    return answers


def _known(context: RequestContext, partition: SessionPartition) -> ErrorCode:
    """What is wrong with a partition of a session before anybody tries to fetch from it; NONE if nothing."""
    if partition.topic_name is None:
        return ErrorCode.UNKNOWN_TOPIC_ID
    topic = context.broker.metadata.image.topics_by_name.get(partition.topic_name)
    if topic is None or not 0 <= partition.index < len(topic.partitions):
        return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    return ErrorCode.NONE


def _turned(keys: list[ShareKey], epoch: int) -> Sequence[ShareKey]:
    """Another partition comes first each time, so that none is left out for long."""
    at = epoch % len(keys) if keys and epoch > 0 else 0
    return keys[at:] + keys[:at]


def _partition_data(context: RequestContext, key: ShareKey, found: Fetched) -> PartitionData:
    data = PartitionData(
        partition_index=key.partition,
        error_code=found.error_code,
        records=found.records if found.records is not None else b"",
        acquired_records=[
            AcquiredRecords(first_offset=first, last_offset=last, delivery_count=count)
            for first, last, count in found.acquired
        ],
    )
    if found.error_code in LEADER_MOVED:
        leader_id, leader_epoch = leader_of(context, key.topic_id, key.partition)
        data.current_leader = LeaderIdAndEpoch(leader_id=leader_id, leader_epoch=leader_epoch)
    return data


def _news(session: ShareSession, answers: dict[Place, PartitionData]) -> dict[Place, PartitionData]:
    """Of an answer within a session, what there is to say."""
    news: dict[Place, PartitionData] = {}
    for place, data in answers.items():
        partition = session.partitions.get(place)
        is_news = bool(data.acquired_records) or data.error_code != 0
        if partition is not None:
            is_news = is_news or partition.is_news
            partition.is_news = data.error_code != 0
            if data.acquired_records:
                session.move_to_end(partition)
        if is_news:
            news[place] = data
    return news


def _respond(
    context: RequestContext,
    member: ShareSessionKey,
    answers: dict[Place, PartitionData],
    results: dict[Place, AcknowledgeResult],
) -> ShareFetchResponse:
    response = ShareFetchResponse(
        acquisition_lock_timeout_ms=context.broker.shares.settings.config_of(
            member.group_id
        ).record_lock_duration_ms
    )
    for place, (error_code, error_message) in results.items():
        data = answers.get(place)
        if data is None:
            data = answers[place] = PartitionData(partition_index=place[1], records=b"")
        data.acknowledge_error_code = error_code
        data.acknowledge_error_message = error_message
    topics: dict[bytes, ShareFetchableTopicResponse] = {}
    for (topic_id, _), data in answers.items():
        if topic_id not in topics:
            topics[topic_id] = ShareFetchableTopicResponse(topic_id=topic_id)
            response.responses.append(topics[topic_id])
        topics[topic_id].partitions.append(data)
    return response
