"""FindCoordinator, versions 0-6.

- Answers which broker coordinates a group, a transactional id or the state of a share partition: the leader
  of its partition of `__consumer_offsets`, `__transaction_state` or `__share_group_state`.
  1: key types, and an error message, which is the name of no error where there is none. 4: many keys at once
  (KIP-699).
- Where that topic is missing it is created before the answer; Kafka creates it too, but answers
  COORDINATOR_NOT_AVAILABLE and lets the client ask again.
  6: share partitions (KIP-932); a key is `group:topic id:partition`, and INVALID_REQUEST if it is anything
  else.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.image import OFFSETS_TOPIC, SHARE_STATE_TOPIC, TRANSACTIONS_TOPIC
from kstream.broker.metadata.nodes import nodes_of
from kstream.broker.ownership import coordinator_of
from kstream.errors import ApiError, ErrorCode
from kstream.shares.state_store import ShareKey
from kstream.wire.apis import ApiKey
from kstream.wire.messages.find_coordinator import (
    Coordinator,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)

GROUP, TRANSACTION, SHARE = range(3)
_FIRST_VERSION_WITH_MANY_KEYS = 4
_FIRST_VERSION_WITH_SHARE_KEYS = 6


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
    broker = context.broker
    hashed = key
    try:
        if key_type == GROUP:
            topic_name = OFFSETS_TOPIC
            await broker.groups.ensure_topic()
        elif key_type == TRANSACTION:
            topic_name = TRANSACTIONS_TOPIC
            await broker.transactions.ensure_topic()
        elif key_type == SHARE and context.api_version >= _FIRST_VERSION_WITH_SHARE_KEYS:
            topic_name = SHARE_STATE_TOPIC
            hashed = ShareKey.parse(key).coordinator_key
            await broker.share_states.ensure_topic()
        else:
            raise ApiError(ErrorCode.INVALID_REQUEST, f"There is no coordinator for keys of type {key_type}.")
    except ApiError as error:
        is_wrong = error.code is ErrorCode.INVALID_REQUEST
        nobody.error_code = error.code if is_wrong else ErrorCode.COORDINATOR_NOT_AVAILABLE
        nobody.error_message = error.message
        return nobody
    image = broker.metadata.image
    found = coordinator_of(image, topic_name, hashed)
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
