"""ConsumerGroupDescribe, versions 0-1.

- Shows consumer groups (KIP-848) with their members, what they have and what they are to have. For groups of
  other kinds, and those that do not exist, GROUP_ID_NOT_FOUND.
- 1: whether a member speaks the classic protocol (KIP-1099).
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.authorized_operations import GROUP_OPERATIONS
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.consumer_group_describe import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
    DescribedGroup,
)


@handles(ApiKey.CONSUMER_GROUP_DESCRIBE)
async def handle(
    context: RequestContext, request: ConsumerGroupDescribeRequest
) -> ConsumerGroupDescribeResponse:
    response = ConsumerGroupDescribeResponse()
    groups = context.broker.groups
    for group_id in request.group_ids:
        try:
            if not groups.has_consumer_groups:
                raise ApiError(ErrorCode.UNSUPPORTED_VERSION)
            described = await groups.describe_consumer_group(group_id)
        except ApiError as error:
            described = DescribedGroup(group_id=group_id, error_code=error.code)
        if request.include_authorized_operations and described.error_code == ErrorCode.NONE:
            described.authorized_operations = GROUP_OPERATIONS
        response.groups.append(described)
    return response
