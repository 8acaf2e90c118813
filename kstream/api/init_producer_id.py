"""InitProducerId, versions 0-5, for idempotent producers.

- Without a transactional id the answer is always a new producer id with epoch 0, also to a producer that
  names the one it had (3, KIP-360). Ids are never given twice, whatever happens to the server.
- An empty transactional id is INVALID_REQUEST, and so is a producer id without an epoch, or an epoch alone.
- Transactions are not implemented: no transactional id is coordinated here, and NOT_COORDINATOR says so.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse


@handles(ApiKey.INIT_PRODUCER_ID, version_max=5)
async def handle(context: RequestContext, request: InitProducerIdRequest) -> InitProducerIdResponse:
    if request.transactional_id is not None:
        error_code = ErrorCode.NOT_COORDINATOR if request.transactional_id else ErrorCode.INVALID_REQUEST
        return InitProducerIdResponse(error_code=error_code, producer_id=-1, producer_epoch=-1)
    if (request.producer_id == -1) != (request.producer_epoch == -1):
        return InitProducerIdResponse(error_code=ErrorCode.INVALID_REQUEST, producer_id=-1, producer_epoch=-1)
    producer_id = await context.broker.producer_ids.next_id()
    return InitProducerIdResponse(producer_id=producer_id, producer_epoch=0)
