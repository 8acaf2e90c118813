"""What runs beside the server if asked to: HTTP (`--http`) and OpenTelemetry (`--otel`).

Each is in an extra of its own, and opened before anything else can go wrong.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kstream.cli.arguments import Options
from kstream.config.errors import ConfigError
from kstream.config.listeners import Listener, host_port, split_host_port

if TYPE_CHECKING:
    from kstream.testing.clock import TestingClock


@dataclass
class Beside:
    """What `kstream.server.serve` is given besides, and the clock of its event loop; None is trio's own."""

    arguments: dict[str, Any] = field(default_factory=dict)
    clock: TestingClock | None = None
    http: str | None = None
    """Where HTTP is offered."""


@contextmanager
def open_beside(options: Options) -> Iterator[Beside]:
    """Open what the options ask for; it is closed at the end.

    Raises:
        ConfigError, ListenError: the message says what to do.
    """
    beside = Beside()
    with ExitStack() as stack:
        if options.http is not None:
            token = options.http_token or os.environ.get("KSTREAM_HTTP_TOKEN")
            _open_http(beside, stack, options.http, token)
        if options.otel:
            _open_otel(beside, stack)
        yield beside


def _open_http(beside: Beside, stack: ExitStack, address: str, token: str | None) -> None:
    host, port = split_host_port(address, flag="--http")
    try:
        from kstream.web.serve import HttpServer
    except ModuleNotFoundError as error:
        raise _missing("--http", error, "http") from error
    from kstream.server.listeners import bind
    from kstream.testing.clock import TestingClock

    (bound,) = bind([Listener("HTTP", host, port)], flag="--http")
    stack.callback(bound.sock.close)
    beside.clock = TestingClock()
    server = HttpServer(bound.sock, beside.clock, token)
    beside.http = host_port(host or "0.0.0.0", bound.listener.port)
    beside.arguments |= {"clock": beside.clock, "companion": server.run}


def _open_otel(beside: Beside, stack: ExitStack) -> None:
    try:
        from kstream.otel.set_up import set_up
    except ModuleNotFoundError as error:
        raise _missing("--otel", error, "otel") from error
    from kstream.api import registry

    tracing, shut_down = set_up()
    stack.callback(shut_down)
    beside.arguments["registrations"] = tracing.observed(registry.load())


def _missing(flag: str, error: ModuleNotFoundError, extra: str) -> ConfigError:
    return ConfigError(
        f"{flag} needs the library {error.name}, which is in the extra {extra}:"
        f" pip install 'kstream[{extra}]'"
    )
