"""PushTelemetry, version 0 (KIP-714).

- A client's metrics, for the subscription it was given; the last push of a client says that it is the last.
- 42 without an id or after the last push, 89 before the interval is over, 117 for another subscription, 76
  and 118 for compression and size, 87 for what cannot be decompressed within that size.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ApiError
from kstream.wire.apis import ApiKey
from kstream.wire.messages.push_telemetry import PushTelemetryRequest, PushTelemetryResponse


@handles(ApiKey.PUSH_TELEMETRY)
async def handle(context: RequestContext, request: PushTelemetryRequest) -> PushTelemetryResponse:
    broker = context.broker
    try:
        broker.telemetry.push(
            broker.metadata.image,
            request.client_instance_id,
            context.labels(),
            subscription_id=request.subscription_id,
            codec=request.compression_type,
            payload=request.metrics,
            is_terminating=request.terminating,
            now_ms=context.now_ms(),
        )
    except ApiError as error:
        return PushTelemetryResponse(error_code=error.code)
    return PushTelemetryResponse()
