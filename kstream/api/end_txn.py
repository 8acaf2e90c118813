"""EndTxn, versions 0-5.

- Commits or aborts. The decision is written before the answer and the markers behind it, as in Apache Kafka.
  Unless a disk is waited for, the markers are there before any other request is looked at: whoever hears of
  the commit also sees it, and what comes next finds no CONCURRENT_TRANSACTIONS.
- 2: PRODUCER_FENCED, INVALID_PRODUCER_EPOCH before. 5: every end raises the epoch, and the answer has the id
  and epoch of the next transaction (KIP-890); a retry gets them again, and a transaction to which nothing was
  added can be aborted.
"""

from __future__ import annotations

from functools import partial

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ApiError, ErrorCode
from kstream.transactions.transaction import CLASSIC, EPOCH_BUMPS
from kstream.wire.apis import ApiKey
from kstream.wire.messages.end_txn import EndTxnRequest, EndTxnResponse

_FIRST_VERSION_WITH_FENCED = 2
_FIRST_VERSION_THAT_BUMPS = 5


@handles(ApiKey.END_TXN)
async def handle(context: RequestContext, request: EndTxnRequest) -> EndTxnResponse:
    version = context.api_version
    client_version = EPOCH_BUMPS if version >= _FIRST_VERSION_THAT_BUMPS else CLASSIC
    transactions = context.broker.transactions
    try:
        response = await transactions.end(request, client_version=client_version)
        context.after_answer = partial(transactions.attempt_completion, request.transactional_id)
        return response
    except ApiError as error:
        code = error.code
        if code is ErrorCode.PRODUCER_FENCED and version < _FIRST_VERSION_WITH_FENCED:
            code = ErrorCode.INVALID_PRODUCER_EPOCH
        return EndTxnResponse(error_code=code)
