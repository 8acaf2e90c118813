"""TxnOffsetCommit: positions that count once the transaction they came with is committed (KIP-98)."""

from __future__ import annotations

from kstream.coordinator.outcome import Outcome
from kstream.errors import ApiError, ErrorCode
from kstream.groups.consumer.offsets import PartitionCheck, allow_all, check_transactional_commit
from kstream.groups.group_records import OFFSET_VERSION, OFFSET_VERSION_WITH_TOPIC_ID, offset_record
from kstream.groups.settings import Caller
from kstream.groups.state import GroupState
from kstream.records.schemas.group import OffsetCommitValue
from kstream.wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)
from kstream.wire.uuids import ZERO_UUID

_FIRST_VERSION_WITH_MEMBER_EPOCH = 6


def commit_offsets_in_transaction(
    state: GroupState, request: TxnOffsetCommitRequest, caller: Caller, token: object, now_ms: int
) -> Outcome:
    """The records of positions, to be written in the producer's transaction.

    Raises:
        ApiError: the whole commit is refused.
    """
    check_partition = _check_member(state, request, caller)
    out = Outcome()
    response = TxnOffsetCommitResponse()
    metadata_max = state.settings.offset_metadata_max_bytes
    for topic in request.topics:
        answer = TxnOffsetCommitResponseTopic(name=topic.name, topic_id=topic.topic_id)
        response.topics.append(answer)
        version = OFFSET_VERSION if topic.topic_id == ZERO_UUID else OFFSET_VERSION_WITH_TOPIC_ID
        for partition in topic.partitions:
            index = partition.partition_index
            result = TxnOffsetCommitResponsePartition(partition_index=index)
            answer.partitions.append(result)
            metadata = partition.committed_metadata or ""
            if len(metadata) > metadata_max:
                result.error_code = ErrorCode.OFFSET_METADATA_TOO_LARGE
                continue
            try:
                check_partition(topic.topic_id, index)
            except ApiError as error:
                raise _as_known(error, caller) from None
            value = OffsetCommitValue(
                offset=partition.committed_offset,
                leader_epoch=partition.committed_leader_epoch,
                metadata=metadata,
                commit_timestamp=now_ms,
                expire_timestamp=-1,
                topic_id=topic.topic_id,
            )
            out.records.append(offset_record(request.group_id, topic.name, index, value, version))
    return out.reply(token, response)


def _check_member(state: GroupState, request: TxnOffsetCommitRequest, caller: Caller) -> PartitionCheck:
    """Producers that do not say which member they commit for (KIP-447) may always commit. Raises ApiError."""
    generation, member_id = request.generation_id_or_member_epoch, request.member_id
    instance_id = request.group_instance_id
    consumers = state.consumer_groups.get(request.group_id)
    if consumers is not None:
        try:
            return check_transactional_commit(consumers, member_id, instance_id, generation)
        except ApiError as error:
            raise _as_known(error, caller) from None
    group = state.groups.get(request.group_id)
    if group is None:
        if generation >= 0 or request.group_id in state.share_groups:
            raise _as_known(ApiError(ErrorCode.GROUP_ID_NOT_FOUND), caller)
        return allow_all
    if generation < 0 and (group.is_empty or (not member_id and instance_id is None)):
        return allow_all
    group.check_member(member_id, instance_id)
    if generation != group.generation:
        raise ApiError(ErrorCode.ILLEGAL_GENERATION)
    return allow_all


def _as_known(error: ApiError, caller: Caller) -> ApiError:
    """The error in words of the version: the newer ones came with member epochs."""
    is_newer = error.code in (ErrorCode.STALE_MEMBER_EPOCH, ErrorCode.GROUP_ID_NOT_FOUND)
    if is_newer and caller.api_version < _FIRST_VERSION_WITH_MEMBER_EPOCH:
        return ApiError(ErrorCode.ILLEGAL_GENERATION)
    return error
