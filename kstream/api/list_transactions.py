"""ListTransactions, versions 0-2 (KIP-664).

- The transactional ids that this broker coordinates, by state and producer id. 1: by how long they are open
  (KIP-994). 2: by a pattern that the whole id must match (KIP-1152); INVALID_REGULAR_EXPRESSION for one that
  is none, or has what only backtracking can match.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.coordinator.patterns import compile_pattern
from kstream.errors import ApiError
from kstream.wire.apis import ApiKey
from kstream.wire.messages.list_transactions import ListTransactionsRequest, ListTransactionsResponse


@handles(ApiKey.LIST_TRANSACTIONS)
async def handle(context: RequestContext, request: ListTransactionsRequest) -> ListTransactionsResponse:
    try:
        matches = compile_pattern(request.transactional_id_pattern or ".*")
        return await context.broker.transactions.list(request, context.now_ms(), matches)
    except ApiError as error:
        return ListTransactionsResponse(error_code=error.code)
