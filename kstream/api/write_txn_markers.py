"""WriteTxnMarkers, versions 1-2.

- Ends transactions in partitions directly: how an operator aborts one that hangs (KIP-664). Transactions that
  this broker coordinates end without it.
- INVALID_PRODUCER_EPOCH for an epoch that is over, TRANSACTION_COORDINATOR_FENCED for an old coordinator. 2:
  with transaction version 2 the epoch must be higher than that of the open transaction (KIP-1228).
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.markers import Marker
from kstream.errors import ApiError, ErrorCode
from kstream.log.errors import LogStorageError
from kstream.transactions.transaction import EPOCH_BUMPS
from kstream.wire.apis import ApiKey
from kstream.wire.messages.write_txn_markers import (
    WritableTxnMarkerPartitionResult,
    WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)

_GROUP_COORDINATOR_AWAY = frozenset({ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS})


@handles(ApiKey.WRITE_TXN_MARKERS)
async def handle(context: RequestContext, request: WriteTxnMarkersRequest) -> WriteTxnMarkersResponse:
    response = WriteTxnMarkersResponse()
    for wanted in request.markers:
        marker = Marker(
            wanted.producer_id,
            wanted.producer_epoch,
            wanted.transaction_result,
            wanted.coordinator_epoch,
            is_newer=wanted.transaction_version >= EPOCH_BUMPS,
        )
        result = WritableTxnMarkerResult(producer_id=wanted.producer_id)
        response.markers.append(result)
        for topic in wanted.topics:
            answer = WritableTxnMarkerTopicResult(name=topic.name)
            result.topics.append(answer)
            for index in topic.partition_indexes:
                code = await _write(context, topic.name, index, marker)
                answer.partitions.append(
                    WritableTxnMarkerPartitionResult(partition_index=index, error_code=code)
                )
    return response


async def _write(context: RequestContext, topic: str, index: int, marker: Marker) -> ErrorCode:
    try:
        await context.broker.transactions.write_marker((topic, index), marker)
    except ApiError as error:
        if error.code in _GROUP_COORDINATOR_AWAY:
            return ErrorCode.NOT_LEADER_OR_FOLLOWER
        return error.code
    except LogStorageError:
        return ErrorCode.KAFKA_STORAGE_ERROR
    return ErrorCode.NONE
