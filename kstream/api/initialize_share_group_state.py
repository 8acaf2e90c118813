"""InitializeShareGroupState, version 0 (KIP-932).

- Begins the stored state of share partitions; a higher state epoch starts one over, a lower one is fenced
  (124).
- Asked by group coordinators; here the broker asks itself, and others are answered.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.wire.apis import ApiKey
from kstream.wire.messages.initialize_share_group_state import (
    InitializeShareGroupStateRequest,
    InitializeShareGroupStateResponse,
)


@handles(ApiKey.INITIALIZE_SHARE_GROUP_STATE)
async def handle(
    context: RequestContext, request: InitializeShareGroupStateRequest
) -> InitializeShareGroupStateResponse:
    return await context.broker.share_states.initialize(request, is_own=False)
