"""ListGroups, versions 0-5.

- Lists the groups that this broker coordinates. 4: only those in some states (KIP-518). 5: only those of some
  types (KIP-848).
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ApiError
from kstream.wire.apis import ApiKey
from kstream.wire.messages.list_groups import ListGroupsRequest, ListGroupsResponse


@handles(ApiKey.LIST_GROUPS)
async def handle(context: RequestContext, request: ListGroupsRequest) -> ListGroupsResponse:
    try:
        groups = await context.broker.groups.list(request.states_filter, request.types_filter)
    except ApiError as error:
        return ListGroupsResponse(error_code=error.code)
    return ListGroupsResponse(groups=groups)
