"""DescribeGroups, versions 0-6.

- Shows classic groups with their members and what they are assigned. One that does not exist is Dead; 6 adds
  GROUP_ID_NOT_FOUND and a message.
- 3: authorized operations (KIP-430). 4: static members.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.authorized_operations import GROUP_OPERATIONS
from kstream.errors import ApiError, ErrorCode
from kstream.groups.states import ClassicState
from kstream.wire.apis import ApiKey
from kstream.wire.messages.describe_groups import (
    DescribedGroup,
    DescribeGroupsRequest,
    DescribeGroupsResponse,
)


@handles(ApiKey.DESCRIBE_GROUPS)
async def handle(context: RequestContext, request: DescribeGroupsRequest) -> DescribeGroupsResponse:
    response = DescribeGroupsResponse()
    caller = context.caller()
    for group_id in request.groups:
        try:
            described = await context.broker.groups.describe(group_id, caller)
        except ApiError as error:
            described = DescribedGroup(
                group_id=group_id, error_code=error.code, group_state=ClassicState.DEAD.value
            )
        if request.include_authorized_operations and described.error_code == ErrorCode.NONE:
            described.authorized_operations = GROUP_OPERATIONS
        response.groups.append(described)
    return response
