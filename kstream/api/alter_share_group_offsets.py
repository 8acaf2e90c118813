"""AlterShareGroupOffsets, version 0.

- Moves a share group (KIP-932) that has no members, or makes one: NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND for
  groups of other kinds, UNKNOWN_TOPIC_OR_PARTITION. Offsets need not exist.
- UNSUPPORTED_VERSION where the level of `share.version` forbids it.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.alter_share_group_offsets import (
    AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsResponse,
)


@handles(ApiKey.ALTER_SHARE_GROUP_OFFSETS)
async def handle(
    context: RequestContext, request: AlterShareGroupOffsetsRequest
) -> AlterShareGroupOffsetsResponse:
    groups = context.broker.groups
    try:
        if not groups.has_share_groups:
            raise ApiError(ErrorCode.UNSUPPORTED_VERSION)
        return await groups.share.alter_offsets(request)
    except ApiError as error:
        return AlterShareGroupOffsetsResponse(
            error_code=error.code, error_message=error.message or error.code.name
        )
