"""From a frame to its answer: header, version, handler, encoding.

What can be wrong with a request before its handler sees it is decided here, as Apache Kafka does: an API or
version that is not served closes the connection, except that ApiVersions is then answered in version 0 with
error 35, so that any client can find out what is.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Mapping
from struct import Struct
from typing import Any, NamedTuple

from kstream.api.context import RequestContext
from kstream.api.registry import Handler, Registration
from kstream.broker.stats import RequestStats
from kstream.errors import ErrorCode, ProtocolError
from kstream.server import beats, share_acks, throttling
from kstream.server.repeats import Repeats
from kstream.wire.apis import ApiKey, api
from kstream.wire.codec import Part, appender, decoder, encode, join_parts
from kstream.wire.error_fields import error_reader
from kstream.wire.headers import read_request_header, response_header_version
from kstream.wire.messages.api_versions import ApiVersion, ApiVersionsResponse
from kstream.wire.messages.fetch import FetchRequest

Answer = Callable[[memoryview, RequestContext], Awaitable[list[Part] | None]]

_plain_response_start = Struct(">ii").pack
_tagged_response_start = Struct(">iib").pack


class Endpoint:
    """One API in one version: its handler, its compiled codec, and what counts its requests."""

    __slots__ = ("_errors_of", "append", "decode", "handler", "has_tagged_response", "stats")

    def __init__(self, key: ApiKey, version: int, handler: Handler, stats: RequestStats) -> None:
        declared = api(key)
        self.handler = handler
        self.decode: Callable[[memoryview, int], tuple[Any, int]] = decoder(declared.request, version)
        self.append: Callable[[Any, list[Any]], list[int] | None] = appender(declared.response, version)
        self.has_tagged_response = response_header_version(key, version) > 0
        self._errors_of = error_reader(declared.response)
        self.stats = stats

    def with_handler(self, handler: Handler) -> Endpoint:
        """The same codec with another handler."""
        other = copy.copy(self)
        other.handler = handler
        return other

    def encode(self, response: Any, correlation_id: int) -> list[Part]:
        """A whole frame, with payloads between its pieces. HOT."""
        pieces: list[Any] = [b""]
        payloads = self.append(response, pieces)
        size = sum(map(len, pieces))
        if self.has_tagged_response:
            pieces[0] = _tagged_response_start(size + 5, correlation_id, 0)
        else:
            pieces[0] = _plain_response_start(size + 4, correlation_id)
        return join_parts(pieces, payloads)

    def count_errors(self, response: Any) -> None:
        """Count the errors in an answer. HOT."""
        if self._errors_of is not None and (codes := self._errors_of(response)):
            self.stats.count_errors(codes)


class Call(NamedTuple):
    """A request that was read."""

    key: ApiKey
    endpoint: Endpoint
    request: Any
    correlation_id: int
    size_bytes: int


class Dispatcher:
    """Turns frames into answers. Shared by all connections; holds no state of any of them."""

    def __init__(self, registrations: Mapping[int, Registration]) -> None:
        self._registrations = registrations
        self._endpoints: dict[tuple[int, int], Endpoint] = {}
        self._repeats = Repeats()
        self.answer: Answer = self.answer_request
        """How connections have a frame answered: by `answer_request`, unless somebody stands before it
        (`server.interception`).
        """

    async def answer_request(self, frame: memoryview, context: RequestContext) -> list[Part] | None:
        """Handle one request; the parts of its answer, or None if it gets none. HOT.

        Raises:
            ProtocolError: the connection must be closed, and nothing was changed.
        """
        is_metered = context.broker.quotas.is_active
        if context.repeats_to and not is_metered:
            repeated = await self._repeats.answer(frame, context)
            if repeated is not None:
                return repeated
        if context.beat is not None and not is_metered:
            repeated = context.beat(frame, context)
            if repeated is not None:
                return repeated
        if context.acks is not None and not is_metered:
            repeated = await context.acks.answer(frame, context)
            if repeated is not None:
                return repeated
        key, version, correlation_id, client_id, body = read_request_header(frame)
        endpoint = self._endpoints.get((key, version))
        if endpoint is None:
            endpoint = self._open(key, version, context)
            if endpoint is None:
                return _unsupported_api_versions(correlation_id, self._registrations[key])
        context.client_id = client_id
        context.api_version = version
        context.stats = endpoint.stats
        request, _ = endpoint.decode(frame, body)
        if is_metered:
            return await _answer_metered(endpoint, request, correlation_id, len(frame), context)
        response = await endpoint.handler(context, request)
        if response is None:
            return None
        endpoint.count_errors(response)
        parts = endpoint.encode(response, correlation_id)
        if key == ApiKey.PRODUCE and not self._registrations[key].is_observed:
            self._repeats.learn(frame, context, request, response, parts)
        elif key in beats.APIS:
            beats.learn(frame, context, request, response, parts)
        elif key == ApiKey.SHARE_ACKNOWLEDGE and not self._registrations[key].is_observed:
            share_acks.learn(frame, context, request, response, parts)
        return parts

    def read(self, frame: memoryview, context: RequestContext) -> Call | None:
        """A request whose answer is somebody else's to decide; None for one that no handler gets.

        Raises ProtocolError.
        """
        key, version, correlation_id, client_id, body = read_request_header(frame)
        endpoint = self._endpoints.get((key, version)) or self._open(key, version, context)
        if endpoint is None:
            return None
        context.client_id = client_id
        context.api_version = version
        context.stats = endpoint.stats
        request, _ = endpoint.decode(frame, body)
        return Call(ApiKey(key), endpoint, request, correlation_id, len(frame))

    async def complete(self, call: Call, handler: Handler, context: RequestContext) -> list[Part] | None:
        """Have a request answered by `handler`, which may be another than its endpoint's."""
        endpoint = call.endpoint.with_handler(handler)
        if context.broker.quotas.is_active:
            return await _answer_metered(
                endpoint, call.request, call.correlation_id, call.size_bytes, context
            )
        response = await handler(context, call.request)
        if response is None:
            return None
        endpoint.count_errors(response)
        return endpoint.encode(response, call.correlation_id)

    def is_prompt(self, frame: memoryview) -> bool:
        """Whether the answer will be there at once, so that earlier ones may wait and leave with it."""
        registration = self._registrations.get(int.from_bytes(frame[:2], "big"))
        return registration is not None and registration.is_prompt

    def _open(self, key: int, version: int, context: RequestContext) -> Endpoint | None:
        """The endpoint at its first use; None asks for the answer that any client understands."""
        registration = self._registrations.get(key)
        if registration is None:
            raise ProtocolError(f"API key {key} is not served")
        if not registration.version_min <= version <= registration.version_max:
            if key == ApiKey.API_VERSIONS:
                context.stats = context.broker.stats.unserved
                return None
            raise ProtocolError(f"{registration.key.name} version {version} is not served")
        stats = context.broker.stats.of(key, version)
        endpoint = Endpoint(registration.key, version, registration.handler, stats)
        self._endpoints[(key, version)] = endpoint
        return endpoint


async def _answer_metered(
    endpoint: Endpoint, request: Any, correlation_id: int, size_bytes: int, context: RequestContext
) -> list[Part] | None:
    """As `answer`, where there are quotas; says in `context.throttle_ms` for how long not to listen."""
    meters = throttling.meters_of(context)
    throttling.limit_fetch(request, meters)
    response, throttle_ms = await throttling.handle_timed(endpoint.handler, context, request, meters)
    throttle_ms = max(throttle_ms, throttling.throttle_produce(request, size_bytes, context, meters))
    context.throttle_ms = throttle_ms
    if response is None:
        return None
    endpoint.count_errors(response)
    throttling.tell(response, throttle_ms)
    parts = endpoint.encode(response, correlation_id)
    if isinstance(request, FetchRequest):
        context.throttle_ms = throttling.throttle_fetch(parts, throttle_ms, context, meters)
        if context.throttle_ms:
            response = throttling.without_records(request, parts)
            throttling.tell(response, context.throttle_ms)
            parts = endpoint.encode(response, correlation_id)
    return parts


def _unsupported_api_versions(correlation_id: int, registration: Registration) -> list[Part]:
    """Version 0, with the versions of this one API, of which the client then takes one (KIP-511)."""
    response = ApiVersionsResponse(
        error_code=ErrorCode.UNSUPPORTED_VERSION,
        api_keys=[
            ApiVersion(
                api_key=registration.key,
                min_version=registration.version_min,
                max_version=registration.version_max,
            )
        ],
    )
    body = encode(response, 0)
    return [_plain_response_start(len(body) + 4, correlation_id) + body]
