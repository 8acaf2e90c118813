"""FindCoordinator, versions 0-6.

- Answers which broker coordinates a group or a transactional id: the leader of its partition of
  `__consumer_offsets` or `__transaction_state`.
  1: key types, and an error message, which is the name of no error where there is none. 4: many keys at once
  (KIP-699).
- Where that topic is missing it is created before the answer; Kafka creates it too, but answers
  COORDINATOR_NOT_AVAILABLE and lets the client ask again.
- Share groups (key type 2) have no coordinator: INVALID_REQUEST, as for an unknown type.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.image import OFFSETS_TOPIC, TRANSACTIONS_TOPIC
from kstream.broker.metadata.nodes import nodes_of
from kstream.broker.ownership import coordinator_of
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.find_coordinator import (
    Coordinator,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)

GROUP, TRANSACTION = range(2)
_FIRST_VERSION_WITH_MANY_KEYS = 4


@handles(ApiKey.FIND_COORDINATOR)
async def handle(context: RequestContext, request: FindCoordinatorRequest) -> FindCoordinatorResponse:
    if context.api_version >= _FIRST_VERSION_WITH_MANY_KEYS:
        return FindCoordinatorResponse(
            coordinators=[await _find(context, request.key_type, key) for key in request.coordinator_keys]
        )
    found = await _find(context, request.key_type, request.key)
    return FindCoordinatorResponse(
        error_code=found.error_code,
        error_message=found.error_message or ErrorCode.NONE.name,
        node_id=found.node_id,
        host=found.host,
        port=found.port,
    )


async def _find(context: RequestContext, key_type: int, key: str) -> Coordinator:
    nobody = Coordinator(key=key, node_id=-1, port=-1)
    if key_type not in (GROUP, TRANSACTION):
        nobody.error_code = ErrorCode.INVALID_REQUEST
        nobody.error_message = "Only groups and transactional ids have a coordinator here."
        return nobody
    broker = context.broker
    try:
        if key_type == GROUP:
            topic_name = OFFSETS_TOPIC
            await broker.groups.ensure_topic()
        else:
            topic_name = TRANSACTIONS_TOPIC
            await broker.transactions.ensure_topic()
    except ApiError as error:
        nobody.error_code = ErrorCode.COORDINATOR_NOT_AVAILABLE
        nobody.error_message = error.message
        return nobody
    image = broker.metadata.image
    found = coordinator_of(image, topic_name, key)
    if found is not None:
        address = broker.advertised(context.listener, context.local_address)
        for node in nodes_of(image, broker.node_id, address, context.listener):
            if node.node_id == found.broker_id:
                return Coordinator(
                    key=key, node_id=node.node_id, host=node.host, port=node.port, error_message=""
                )
    nobody.error_code = ErrorCode.COORDINATOR_NOT_AVAILABLE
    nobody.error_message = "No broker that leads the key's partition is up."
    return nobody
