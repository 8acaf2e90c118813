"""`--http`: what it listens on and runs with, opened before anything else can go wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kstream.config.errors import ConfigError
from kstream.config.listeners import host_port, split_host_port

if TYPE_CHECKING:
    from kstream.testing.clock import TestingClock
    from kstream.web.serve import HttpServer


class Http(NamedTuple):
    """An HTTP server that is bound and not yet running, and the clock that it can move."""

    server: HttpServer
    clock: TestingClock
    address: str


def open_http(address: str | None, token: str | None) -> Http | None:
    """Listen on `HOST:PORT`; None without an address.

    Raises:
        ConfigError, ListenError: the message says what to do.
    """
    if address is None:
        return None
    host, port = split_host_port(address, flag="--http")
    try:
        from kstream.web.serve import HttpServer
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"--http needs the library {error.name}, which is in the extra http: pip install 'kstream[http]'"
        ) from error
    from kstream.config.listeners import Listener
    from kstream.server.listeners import bind
    from kstream.testing.clock import TestingClock

    (bound,) = bind([Listener("HTTP", host, port)], flag="--http")
    clock = TestingClock()
    try:
        server = HttpServer(bound.sock, clock, token)
    except ConfigError:
        bound.sock.close()
        raise
    return Http(server, clock, host_port(host or "0.0.0.0", bound.listener.port))
