"""LeaveGroup, versions 0-5.

- Takes members out of a classic group; a static one can be named by its instance id alone.
- 3: several members, each with its own error (KIP-345); before, one, with its error at the top. 5: the reason
  (KIP-800).
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ApiError
from kstream.wire.apis import ApiKey
from kstream.wire.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse


@handles(ApiKey.LEAVE_GROUP)
async def handle(context: RequestContext, request: LeaveGroupRequest) -> LeaveGroupResponse:
    try:
        return await context.broker.groups.leave(request, context.caller())
    except ApiError as error:
        return LeaveGroupResponse(error_code=error.code)
