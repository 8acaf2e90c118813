"""DescribeTransactions, version 0 (KIP-664).

- State, producer, timeout, start and partitions of transactional ids. INVALID_REQUEST for an empty one,
  TRANSACTIONAL_ID_NOT_FOUND for one that nobody has.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ApiError
from kstream.wire.apis import ApiKey
from kstream.wire.messages.describe_transactions import (
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
    TransactionState,
)


@handles(ApiKey.DESCRIBE_TRANSACTIONS)
async def handle(
    context: RequestContext, request: DescribeTransactionsRequest
) -> DescribeTransactionsResponse:
    response = DescribeTransactionsResponse()
    for transactional_id in request.transactional_ids:
        try:
            found = await context.broker.transactions.describe(transactional_id)
        except ApiError as error:
            found = TransactionState(transactional_id=transactional_id, error_code=error.code)
        response.transaction_states.append(found)
    return response
