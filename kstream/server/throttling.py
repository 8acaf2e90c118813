"""Requests of clients that have quotas: counted, and answered with the time to wait.

As in Kafka since KIP-219 the answer leaves at once, with `throttle_time_ms`; then the connection is not read
for that long, whether or not the client keeps to it. A fetch above its quota is answered without records.
"""

from __future__ import annotations

from typing import Any, cast

from kstream.api.context import RequestContext
from kstream.api.registry import Handler
from kstream.broker.quotas import ClientMeters
from kstream.log.slices import LogSlice
from kstream.server.cpu_time import Timed
from kstream.wire.apis import ApiKey
from kstream.wire.codec import Part
from kstream.wire.messages.fetch import FetchRequest, FetchResponse
from kstream.wire.schema import Message

_PERCENT_SECONDS_PER_NS = 100 / 1_000_000_000


def meters_of(context: RequestContext) -> ClientMeters:
    """The quotas of who asks."""
    user = context.principal.partition(":")[2]
    return context.broker.quotas.of(user, context.client_id or "")


def limit_fetch(request: Message, meters: ClientMeters) -> None:
    """A fetch cannot bring more than its quota allows at once, or it would never be let through."""
    if meters.fetch is not None and isinstance(request, FetchRequest):
        request.max_bytes = min(request.max_bytes, int(meters.fetch.total_max))


async def handle_timed(
    handler: Handler, context: RequestContext, request: Message, meters: ClientMeters
) -> tuple[Message | None, int]:
    """The handler's answer, and for how long to wait because of the time it took."""
    if meters.request is None:
        return cast("Message | None", await handler(context, request)), 0
    timed = Timed(cast("Any", handler(context, request)))
    response = await timed
    percent = timed.elapsed_ns * _PERCENT_SECONDS_PER_NS
    return cast("Message | None", response), meters.request.record(percent, context.now_ms())


def throttle_produce(request: Message, size_bytes: int, context: RequestContext, meters: ClientMeters) -> int:
    """Count a produce request of so many bytes; for how long to wait."""
    if meters.produce is None or request.API_KEY != ApiKey.PRODUCE:
        return 0
    return meters.produce.record(size_bytes, context.now_ms())


def throttle_fetch(parts: list[Part], throttle_ms: int, context: RequestContext, meters: ClientMeters) -> int:
    """Count a fetch's encoded answer; for how long to wait, and then it is not to be sent."""
    if meters.fetch is None:
        return throttle_ms
    now_ms = context.now_ms()
    size_bytes = sum(map(len, parts))
    throttle_ms = max(throttle_ms, meters.fetch.record(size_bytes, now_ms))
    if throttle_ms:
        meters.fetch.take_back(size_bytes, now_ms)
    return throttle_ms


def without_records(request: FetchRequest, parts: list[Part]) -> FetchResponse:
    """What is answered in place of records, which are let go."""
    for part in parts:
        if isinstance(part, LogSlice):
            part.release()
    return FetchResponse(session_id=request.session_id if request.session_epoch > 0 else 0)


def tell(response: Message, throttle_ms: int) -> None:
    """Put the time to wait into an answer that has a place for it."""
    if hasattr(response, "throttle_time_ms"):
        response.throttle_time_ms = max(response.throttle_time_ms, throttle_ms)
