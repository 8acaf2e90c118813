"""What a broker was asked and which errors it answered, for reports of tests that fail."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kstream.api.context import RequestContext
from kstream.api.registry import Handler, Registration
from kstream.errors import ErrorCode
from kstream.server.naming import seen
from kstream.wire.apis import ApiKey
from kstream.wire.schema import Struct

_KEPT_MAX = 20
_NAMES = ("name", "topic_name", "group_id", "transactional_id", "resource_name", "key")


class ReturnedError(NamedTuple):
    """An error that a client was told."""

    api: str
    client_id: str | None
    error: str
    about: str
    """What it is about: a topic, a group; empty for the whole request."""
    at_s: float
    """Unix time, of the machine."""


class SeenRequest(NamedTuple):
    """What a client asked for. A producer's further batches, and heartbeats that repeat, go by unseen."""

    api: str
    client_id: str | None
    about: str
    """Topics, groups and transactional ids that it names."""


def watched(
    registrations: Mapping[int, Registration],
    errors: deque[ReturnedError],
    requests: deque[SeenRequest],
) -> dict[int, Registration]:
    """The same handlers, whose requests and errors are noted."""
    return {
        key: registration._replace(
            handler=_watched(registration, errors, requests),
            # What a share group's member did wrong is news, however alike its requests are.
            is_observed=registration.is_observed or key == ApiKey.SHARE_ACKNOWLEDGE,
        )
        for key, registration in registrations.items()
    }


def new_errors() -> deque[ReturnedError]:
    """Room for the last errors."""
    return deque(maxlen=_KEPT_MAX)


def new_requests() -> deque[SeenRequest]:
    """Room for the last requests."""
    return deque(maxlen=_KEPT_MAX)


def _watched(
    registration: Registration, errors: deque[ReturnedError], requests: deque[SeenRequest]
) -> Handler:
    handler, api = registration.handler, registration.key.name

    async def handle(context: RequestContext, request: Any) -> Any:
        named = seen(context, registration.key, request)
        names = sorted({*named.topics, *named.groups, *named.transactional_ids})
        noted = SeenRequest(api, context.client_id, ", ".join(names))
        if not requests or requests[-1] != noted:
            requests.append(noted)
        response = await handler(context, request)
        if response is not None:
            for code, about in error_codes(response):
                errors.append(ReturnedError(api, context.client_id, _name(code), about, time.time()))
        return response

    return handle


def error_codes(message: Struct, about: str = "") -> Iterator[tuple[int, str]]:
    """Every error code of a response that is not NONE, and what it is about."""
    fields = [field.name for field in message.__fields__]
    about = next((str(getattr(message, name)) for name in _NAMES if getattr(message, name, None)), about)
    for name in fields:
        value = getattr(message, name)
        if name == "error_code":
            if value:
                yield value, about
        elif isinstance(value, Struct):
            yield from error_codes(value, about)
        elif isinstance(value, list) and value and isinstance(value[0], Struct):
            for each in value:
                yield from error_codes(each, about)


def _name(code: int) -> str:
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error {code}"
