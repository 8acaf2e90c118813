"""DeleteShareGroupState, version 0 (KIP-932).

- Forgets the stored state of share partitions; it is no error if there is none.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.wire.apis import ApiKey
from kstream.wire.messages.delete_share_group_state import (
    DeleteShareGroupStateRequest,
    DeleteShareGroupStateResponse,
)


@handles(ApiKey.DELETE_SHARE_GROUP_STATE)
async def handle(
    context: RequestContext, request: DeleteShareGroupStateRequest
) -> DeleteShareGroupStateResponse:
    return await context.broker.share_states.delete(request, is_own=False)
