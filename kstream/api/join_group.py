"""JoinGroup, versions 0-9.

- Joins a classic group: how is in `kstream/groups/join.py`. The answer waits for the rebalance.
- 1: a rebalance timeout of its own. 4: a new member is told its id before it may join (KIP-394). 5: static
  members (KIP-345). 7: protocol type in the answer (KIP-559). 8: the client's reason (KIP-800). 9: a static
  leader that comes back is told not to assign (KIP-814).
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.join_group import JoinGroupRequest, JoinGroupResponse

_FIRST_VERSION_WITHOUT_PROTOCOL = 7


@handles(ApiKey.JOIN_GROUP)
async def handle(context: RequestContext, request: JoinGroupRequest) -> JoinGroupResponse:
    try:
        response = await context.broker.groups.join(request, context.caller())
    except ApiError as error:
        is_ours = error.code is ErrorCode.INVALID_GROUP_ID
        response = JoinGroupResponse(
            error_code=error.code, member_id=request.member_id if is_ours else "", protocol_name=None
        )
    if response.protocol_name is None and context.api_version < _FIRST_VERSION_WITHOUT_PROTOCOL:
        response.protocol_name = ""
    return response
