"""ConsumerGroupHeartbeat, versions 0-1.

- A member of a consumer group (KIP-848) joins, stays, is assigned, and leaves: how is in
  `kstream/groups/consumer/heartbeat.py`. Errors come with a message.
- UNSUPPORTED_VERSION where `group.coordinator.rebalance.protocols` or the level of `group.version` forbids
  it.
- 1: subscription by regular expression, and member ids that clients choose (KIP-1082).
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)


@handles(ApiKey.CONSUMER_GROUP_HEARTBEAT, is_prompt=True)
async def handle(
    context: RequestContext, request: ConsumerGroupHeartbeatRequest
) -> ConsumerGroupHeartbeatResponse:
    groups = context.broker.groups
    try:
        if not groups.has_consumer_groups:
            raise ApiError(ErrorCode.UNSUPPORTED_VERSION, "consumer groups of KIP-848 are switched off")
        return await groups.consumer_heartbeat(request, context.caller())
    except ApiError as error:
        return ConsumerGroupHeartbeatResponse(
            error_code=error.code, error_message=error.message or error.code.name
        )
