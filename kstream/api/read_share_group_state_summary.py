"""ReadShareGroupStateSummary, versions 0-1 (KIP-932).

- How far share partitions have come; a start offset of -1 if one was never initialized, or never read.
- 1: how many records of the window are done with (KIP-1226).
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.wire.apis import ApiKey
from kstream.wire.messages.read_share_group_state_summary import (
    ReadShareGroupStateSummaryRequest,
    ReadShareGroupStateSummaryResponse,
)


@handles(ApiKey.READ_SHARE_GROUP_STATE_SUMMARY)
async def handle(
    context: RequestContext, request: ReadShareGroupStateSummaryRequest
) -> ReadShareGroupStateSummaryResponse:
    return await context.broker.share_states.read_summary(request, is_own=False)
