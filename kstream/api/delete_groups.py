"""DeleteGroups, versions 0-3.

- Deletes groups without members, with their offsets: GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP.
- A group named twice is answered once. 3: an error message.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ApiError
from kstream.wire.apis import ApiKey
from kstream.wire.messages.delete_groups import (
    DeletableGroupResult,
    DeleteGroupsRequest,
    DeleteGroupsResponse,
)


@handles(ApiKey.DELETE_GROUPS)
async def handle(context: RequestContext, request: DeleteGroupsRequest) -> DeleteGroupsResponse:
    response = DeleteGroupsResponse()
    for group_id in dict.fromkeys(request.groups_names):
        try:
            result = await context.broker.groups.delete(group_id)
        except ApiError as error:
            result = DeletableGroupResult(group_id=group_id, error_code=error.code)
        response.results.append(result)
    return response
