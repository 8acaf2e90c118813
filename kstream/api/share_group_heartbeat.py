"""ShareGroupHeartbeat, version 1.

- A member of a share group (KIP-932) joins, stays, is assigned, and leaves: how is in
  `kstream/groups/share/heartbeat.py`. Errors come with a message, but for what is wrong with any request.
- UNSUPPORTED_VERSION where the level of `share.version` forbids it.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.share_group_heartbeat import (
    ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
)


@handles(ApiKey.SHARE_GROUP_HEARTBEAT, is_prompt=True)
async def handle(context: RequestContext, request: ShareGroupHeartbeatRequest) -> ShareGroupHeartbeatResponse:
    groups = context.broker.groups
    try:
        if not groups.has_share_groups:
            raise ApiError(ErrorCode.UNSUPPORTED_VERSION)
        return await groups.share.heartbeat(request, context.caller())
    except ApiError as error:
        return ShareGroupHeartbeatResponse(error_code=error.code, error_message=error.message)
