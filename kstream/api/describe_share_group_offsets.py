"""DescribeShareGroupOffsets, versions 0-1.

- Where share groups are (KIP-932): the first offset that is not done with, of the partitions that are asked
  for, or of all that the group has a state of. -1 where there is none, whatever the reason.
- 1: how many records are left (KIP-1226).
- UNSUPPORTED_VERSION where the level of `share.version` forbids it.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.describe_share_group_offsets import (
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsResponse,
    DescribeShareGroupOffsetsResponseGroup,
)


@handles(ApiKey.DESCRIBE_SHARE_GROUP_OFFSETS)
async def handle(
    context: RequestContext, request: DescribeShareGroupOffsetsRequest
) -> DescribeShareGroupOffsetsResponse:
    response = DescribeShareGroupOffsetsResponse()
    groups = context.broker.groups
    for wanted in request.groups:
        answer = DescribeShareGroupOffsetsResponseGroup(group_id=wanted.group_id)
        response.groups.append(answer)
        if not groups.has_share_groups:
            answer.error_code = ErrorCode.UNSUPPORTED_VERSION
            continue
        try:
            answer.topics = await groups.share.positions.describe(wanted.group_id, wanted.topics)
        except ApiError as error:
            answer.error_code, answer.error_message = error.code, error.message or error.code.name
    return response
