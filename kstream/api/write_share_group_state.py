"""WriteShareGroupState, versions 0-1 (KIP-932).

- Changes the stored state of share partitions; older leaders (74) and older states (124) are fenced.
- 1: how many records of the window are done with (KIP-1226).
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.wire.apis import ApiKey
from kstream.wire.messages.write_share_group_state import (
    WriteShareGroupStateRequest,
    WriteShareGroupStateResponse,
)


@handles(ApiKey.WRITE_SHARE_GROUP_STATE)
async def handle(
    context: RequestContext, request: WriteShareGroupStateRequest
) -> WriteShareGroupStateResponse:
    return await context.broker.share_states.write(request, is_own=False)
