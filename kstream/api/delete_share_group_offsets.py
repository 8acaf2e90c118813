"""DeleteShareGroupOffsets, version 0.

- Forgets where a share group (KIP-932) without members is in topics: NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND, and
  UNKNOWN_TOPIC_OR_PARTITION for topics that do not exist, or that nothing is known of.
- UNSUPPORTED_VERSION where the level of `share.version` forbids it.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.delete_share_group_offsets import (
    DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsResponse,
)


@handles(ApiKey.DELETE_SHARE_GROUP_OFFSETS)
async def handle(
    context: RequestContext, request: DeleteShareGroupOffsetsRequest
) -> DeleteShareGroupOffsetsResponse:
    groups = context.broker.groups
    try:
        if not groups.has_share_groups:
            raise ApiError(ErrorCode.UNSUPPORTED_VERSION)
        return await groups.share.delete_offsets(request)
    except ApiError as error:
        return DeleteShareGroupOffsetsResponse(
            error_code=error.code, error_message=error.message or error.code.name
        )
