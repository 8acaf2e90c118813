"""Which APIs this server speaks: one handler for each, registered by the module that implements it.

ApiVersions is answered from this table, so an API that has no handler cannot be advertised.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, NamedTuple, TypeVar

import kstream.api
from kstream.wire.apis import ApiKey, api

Handler = Callable[..., Awaitable[Any]]
"""`async (RequestContext, request message) -> response message`; None sends no response (acks=0)."""

AnyHandler = TypeVar("AnyHandler", bound=Handler)


class Registration(NamedTuple):
    """One API as this server offers it."""

    key: ApiKey
    handler: Handler
    version_min: int
    """The lowest version that is decoded; anything below closes the connection."""
    version_max: int
    advertised_min: int
    """The lowest version that ApiVersions shows: lower than `version_min` only for Produce (KAFKA-18659)."""
    is_prompt: bool
    """Whether the handler normally answers without waiting for anything."""
    is_observed: bool = False
    """Whether every request must come to the handler, one that repeats another, too."""


_registrations: dict[int, Registration] = {}
_SUPPORT_MODULES = frozenset({"registry", "context"})


def handles(
    key: ApiKey,
    *,
    version_min: int | None = None,
    version_max: int | None = None,
    advertised_min: int | None = None,
    is_prompt: bool = False,
) -> Callable[[AnyHandler], AnyHandler]:
    """Register the decorated coroutine function for `key`, for all declared versions unless narrowed."""

    def register(handler: AnyHandler) -> AnyHandler:
        declared = api(key)
        low = declared.versions_min if version_min is None else version_min
        high = declared.versions_max if version_max is None else version_max
        advertised = low if advertised_min is None else advertised_min
        _registrations[key] = Registration(key, handler, low, high, advertised, is_prompt)
        return handler

    return register


@cache
def load() -> dict[int, Registration]:
    """Import every handler module and return the registrations by API key."""
    for module in pkgutil.iter_modules(kstream.api.__path__):
        if module.name not in _SUPPORT_MODULES:
            importlib.import_module(f"kstream.api.{module.name}")
    return _registrations


def advertised() -> list[Registration]:
    """Every registered API in the order of its key, as ApiVersions lists them."""
    return [_registrations[key] for key in sorted(_registrations)]
