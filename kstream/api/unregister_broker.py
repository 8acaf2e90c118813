"""UnregisterBroker, version 0 (KIP-631).

- Forgets a broker that is not there any more; 102 for one that is not registered.
- This broker does not forget itself while it serves: 42. Kafka does, and then has no partition that anybody
  leads until it is started again.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.unregister_broker import unregister_broker
from kstream.errors import ApiError
from kstream.wire.apis import ApiKey
from kstream.wire.messages.unregister_broker import UnregisterBrokerRequest, UnregisterBrokerResponse


@handles(ApiKey.UNREGISTER_BROKER)
async def handle(context: RequestContext, request: UnregisterBrokerRequest) -> UnregisterBrokerResponse:
    broker = context.broker
    try:
        await broker.metadata.update(
            lambda image: unregister_broker(image, request.broker_id, own_id=broker.node_id)
        )
    except ApiError as error:
        return UnregisterBrokerResponse(error_code=error.code, error_message=error.message)
    return UnregisterBrokerResponse()
