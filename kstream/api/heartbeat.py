"""Heartbeat, versions 0-4.

- Keeps a member of a classic group alive, and tells it of rebalances.
- While the group's partition is being loaded, the answer is that all is well, as Kafka's: the member's
  session begins anew once it is.
- 3: static members (KIP-345).
- One that a connection repeats is answered by `server.beats` while its group is quiet.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse


@handles(ApiKey.HEARTBEAT)
async def handle(context: RequestContext, request: HeartbeatRequest) -> HeartbeatResponse:
    try:
        return await context.broker.groups.heartbeat(request)
    except ApiError as error:
        if error.code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
            return HeartbeatResponse()
        return HeartbeatResponse(error_code=error.code)
