"""FindCoordinator, versions 0-6.

- Answers which broker coordinates a group. 1: key types. 4: many keys at once (KIP-699).
- Group coordination is not implemented yet: clients that go on to join a group say so themselves, since
  JoinGroup is not advertised. This API is, because librdkafka takes its absence for a broker without LZ4.
- Transactional ids and share groups (key types 1 and 2) have no coordinator: INVALID_REQUEST, as for an
  unknown type.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.ownership import coordinator_of
from kstream.errors import ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.find_coordinator import (
    Coordinator,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)

GROUP = 0
_FIRST_VERSION_WITH_MANY_KEYS = 4


@handles(ApiKey.FIND_COORDINATOR)
async def handle(context: RequestContext, request: FindCoordinatorRequest) -> FindCoordinatorResponse:
    if context.api_version >= _FIRST_VERSION_WITH_MANY_KEYS:
        return FindCoordinatorResponse(
            coordinators=[_find(context, request.key_type, key) for key in request.coordinator_keys]
        )
    found = _find(context, request.key_type, request.key)
    return FindCoordinatorResponse(
        error_code=found.error_code,
        error_message=found.error_message,
        node_id=found.node_id,
        host=found.host,
        port=found.port,
    )


def _find(context: RequestContext, key_type: int, key: str) -> Coordinator:
    nobody = Coordinator(key=key, node_id=-1, port=-1)
    if key_type != GROUP:
        nobody.error_code = ErrorCode.INVALID_REQUEST
        nobody.error_message = "Only groups have a coordinator here."
        return nobody
    broker = coordinator_of(context.broker.metadata.image, key)
    if broker is None:
        nobody.error_code = ErrorCode.COORDINATOR_NOT_AVAILABLE
        nobody.error_message = "No broker is up."
        return nobody
    host, port = context.broker.advertised(context.listener, context.local_address)
    return Coordinator(key=key, node_id=broker.broker_id, host=host, port=port, error_message="")
