"""ReadShareGroupState, version 0 (KIP-932).

- The stored state of share partitions, for their leader, whose epoch fences older ones (74).
- What was never initialized is an invalid request.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.wire.apis import ApiKey
from kstream.wire.messages.read_share_group_state import (
    ReadShareGroupStateRequest,
    ReadShareGroupStateResponse,
)


@handles(ApiKey.READ_SHARE_GROUP_STATE)
async def handle(context: RequestContext, request: ReadShareGroupStateRequest) -> ReadShareGroupStateResponse:
    return await context.broker.share_states.read(request, is_own=False)
