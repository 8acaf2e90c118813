"""AddOffsetsToTxn, versions 0-4.

- The group whose offsets a transaction will commit: its partition of `__consumer_offsets` is added.
- 2: PRODUCER_FENCED, INVALID_PRODUCER_EPOCH before.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.image import OFFSETS_TOPIC
from kstream.errors import ApiError, ErrorCode
from kstream.transactions.transaction import CLASSIC
from kstream.wire.apis import ApiKey
from kstream.wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest, AddOffsetsToTxnResponse

_FIRST_VERSION_WITH_FENCED = 2


@handles(ApiKey.ADD_OFFSETS_TO_TXN)
async def handle(context: RequestContext, request: AddOffsetsToTxnRequest) -> AddOffsetsToTxnResponse:
    broker = context.broker
    try:
        await broker.groups.ensure_topic()
        partition = await broker.groups.partition_of(request.group_id)
        await broker.transactions.add_partitions(
            request.transactional_id,
            request.producer_id,
            request.producer_epoch,
            frozenset({(OFFSETS_TOPIC, partition.index)}),
            client_version=CLASSIC,
        )
    except ApiError as error:
        code = error.code
        if code is ErrorCode.PRODUCER_FENCED and context.api_version < _FIRST_VERSION_WITH_FENCED:
            code = ErrorCode.INVALID_PRODUCER_EPOCH
        return AddOffsetsToTxnResponse(error_code=code)
    return AddOffsetsToTxnResponse()
