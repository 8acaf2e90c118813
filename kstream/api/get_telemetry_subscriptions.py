"""GetTelemetrySubscriptions, version 0 (KIP-714).

- What a client shall report, merged from all subscriptions that match it; the zero id gets an id of its own.
- 89 for asking again before the interval is over.
- Kafka advertises this only with a plugin that takes the metrics; here they are kept
  (`kstream.broker.telemetry`).
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.telemetry import ACCEPTED_CODECS
from kstream.errors import ApiError
from kstream.wire.apis import ApiKey
from kstream.wire.messages.get_telemetry_subscriptions import (
    GetTelemetrySubscriptionsRequest,
    GetTelemetrySubscriptionsResponse,
)


@handles(ApiKey.GET_TELEMETRY_SUBSCRIPTIONS)
async def handle(
    context: RequestContext, request: GetTelemetrySubscriptionsRequest
) -> GetTelemetrySubscriptionsResponse:
    broker = context.broker
    try:
        instance_id, subscription = broker.telemetry.subscribe(
            broker.metadata.image, request.client_instance_id, context.labels(), context.now_ms()
        )
    except ApiError as error:
        return GetTelemetrySubscriptionsResponse(error_code=error.code)
    return GetTelemetrySubscriptionsResponse(
        client_instance_id=instance_id,
        subscription_id=subscription.id,
        accepted_compression_types=list(ACCEPTED_CODECS),
        push_interval_ms=subscription.interval_ms,
        telemetry_max_bytes=broker.telemetry.payload_bytes_max,
        delta_temporality=True,
        requested_metrics=list(subscription.metrics),
    )
