"""SyncGroup, versions 0-5.

- Brings and hands out assignments: see `kstream/groups/sync.py`. Followers wait for the leader.
- 3: static members (KIP-345). 5: protocol type and name, which must be there and match (KIP-559).
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ApiError
from kstream.wire.apis import ApiKey
from kstream.wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse


@handles(ApiKey.SYNC_GROUP)
async def handle(context: RequestContext, request: SyncGroupRequest) -> SyncGroupResponse:
    try:
        return await context.broker.groups.sync(request, context.caller())
    except ApiError as error:
        return SyncGroupResponse(error_code=error.code)
