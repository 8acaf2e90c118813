"""InitProducerId, versions 0-5.

- Without a transactional id, for idempotent producers, the answer is always a new producer id with epoch 0,
  also to a producer that names the one it had (3, KIP-360). Ids are never given twice, whatever happens to
  the server.
- With one, the transaction coordinator answers: the id with a new epoch, which fences whoever had it before.
  An open transaction is aborted first, and the client asks again after CONCURRENT_TRANSACTIONS.
- An empty transactional id is INVALID_REQUEST, and so is a producer id without an epoch, or an epoch alone.
- 4: PRODUCER_FENCED, INVALID_PRODUCER_EPOCH before. Not implemented: 6, two-phase commit, which Apache Kafka
  4.4.0 does not serve by default either.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse

_FIRST_VERSION_WITH_FENCED = 4


@handles(ApiKey.INIT_PRODUCER_ID, version_max=5)
async def handle(context: RequestContext, request: InitProducerIdRequest) -> InitProducerIdResponse:
    if request.transactional_id == "" or (request.producer_id == -1) != (request.producer_epoch == -1):
        return _refusal(ErrorCode.INVALID_REQUEST)
    if request.transactional_id is None:
        producer_id = await context.broker.producer_ids.next_id()
        return InitProducerIdResponse(producer_id=producer_id, producer_epoch=0)
    try:
        answer = await context.broker.transactions.init_producer_id(request)
    except ApiError as error:
        if error.code is ErrorCode.PRODUCER_FENCED and context.api_version < _FIRST_VERSION_WITH_FENCED:
            return _refusal(ErrorCode.INVALID_PRODUCER_EPOCH)
        return _refusal(error.code)
    return answer


def _refusal(code: ErrorCode) -> InitProducerIdResponse:
    return InitProducerIdResponse(error_code=code, producer_id=-1, producer_epoch=-1)
