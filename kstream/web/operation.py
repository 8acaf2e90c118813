"""How a route is declared: as data, from which the routing, the checks and the OpenAPI document are made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from kstream.errors import KstreamError
from kstream.web.running import Running


class BadRequest(KstreamError):
    """A request that makes no sense; the message says what to send instead."""


class NotFound(KstreamError):
    """What a request is about is not there."""


class Nothing(msgspec.Struct, frozen=True):
    """A request without parameters, or without a body."""


@dataclass(frozen=True)
class Text:
    """An answer that is not JSON."""

    content: bytes
    media_type: str = "text/plain; charset=utf-8"
    status: int = 200


@dataclass(frozen=True)
class Call:
    """One request, checked: `query` and `body` are instances of what the operation declares."""

    running: Running
    path: dict[str, str]
    query: Any
    body: Any
    accept: str = ""


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    """With parameters in braces."""
    summary: str
    handler: Callable[[Call], Awaitable[Any]]
    tag: str
    query: type[msgspec.Struct] = Nothing
    body: type[msgspec.Struct] | None = None
    answer: Any = Nothing
    """The type of the answer, as msgspec encodes it; `Text` for what is not JSON."""
    status: int = 200
    media_type: str = "application/json"
    errors: tuple[int, ...] = ()
    """Statuses besides those that every operation can have."""
    is_open: bool = False
    """Whether it needs no token: what a probe asks."""

    @property
    def id(self) -> str:
        """A name that is its alone."""
        return self.handler.__name__
