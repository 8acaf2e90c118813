"""HTTP beside a running server, in its own event loop."""

from __future__ import annotations

import logging
import socket

import trio
from hypercorn.config import Config
from hypercorn.trio import serve as hypercorn_serve

from kstream.broker.broker import Broker
from kstream.testing.clock import TestingClock
from kstream.web.access import Access
from kstream.web.app import make_app
from kstream.web.running import Running

_IDLE_S = 60
_REQUESTS_PER_CONNECTION = 1_000_000


class HttpServer:
    """Bound at once, so that what is wrong with the address is said early; `run` serves."""

    def __init__(self, sock: socket.socket, clock: TestingClock, token: str | None) -> None:
        """`sock` listens. Raises ConfigError: there must be a token."""
        self._sock = sock
        self._clock = clock
        self._access = Access(sock.getsockname()[0], token)

    async def run(self, broker: Broker, addresses: list[str]) -> None:
        """Serve until cancelled."""
        running = Running(broker, self._clock, addresses)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(running.loop_delay.run)
                await serve(running, self._access, self._sock)
        finally:
            running.close()


async def serve(running: Running, access: Access, sock: socket.socket) -> None:
    """Answer HTTP on a listening socket, which is closed in the end, until cancelled."""
    config = Config()
    config.bind = [f"fd://{sock.detach()}"]
    config.errorlog = logging.getLogger("kstream.web.http")
    config.errorlog.setLevel(logging.WARNING)  # where it listens is in the banner
    config.include_server_header = False
    config.keep_alive_timeout = _IDLE_S
    config.keep_alive_max_requests = _REQUESTS_PER_CONNECTION
    config.graceful_timeout = 0
    await hypercorn_serve(make_app(running, access), config, mode="asgi")  # type: ignore[arg-type]
