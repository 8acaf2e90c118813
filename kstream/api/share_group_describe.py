"""ShareGroupDescribe, version 1.

- Shows share groups (KIP-932) with their members and what they consume. For groups of other kinds, and those
  that do not exist, GROUP_ID_NOT_FOUND.
- UNSUPPORTED_VERSION where the level of `share.version` forbids it.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.authorized_operations import GROUP_OPERATIONS
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.share_group_describe import (
    DescribedGroup,
    ShareGroupDescribeRequest,
    ShareGroupDescribeResponse,
)


@handles(ApiKey.SHARE_GROUP_DESCRIBE)
async def handle(context: RequestContext, request: ShareGroupDescribeRequest) -> ShareGroupDescribeResponse:
    response = ShareGroupDescribeResponse()
    groups = context.broker.groups
    for group_id in request.group_ids:
        try:
            if not groups.has_share_groups:
                raise ApiError(ErrorCode.UNSUPPORTED_VERSION)
            described = await groups.share.describe(group_id)
        except ApiError as error:
            # One without a name is not named.
            named = "" if error.code is ErrorCode.INVALID_GROUP_ID else group_id
            described = DescribedGroup(group_id=named, error_code=error.code)
        if request.include_authorized_operations and described.error_code == ErrorCode.NONE:
            described.authorized_operations = GROUP_OPERATIONS
        response.groups.append(described)
    return response
