"""A server inside the test's own event loop, and raw clients for it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from kstream.clock import ManualClock
from kstream.config.broker import BrokerConfig
from kstream.server import serve
from kstream.wire.codec import decode
from kstream.wire.headers import read_response_header, request_frame, response_header_version
from kstream.wire.messages.api_versions import ApiVersionsRequest
from kstream.wire.schema import Message
from tests.virtual_time import run_in_virtual_time


def run(test: Callable[[], Awaitable[None]], *, virtual_time: bool = False, leap_s: float = 0.01) -> None:
    """Run a test's coroutine function; with `virtual_time`, time leaps whenever everybody waits.

    Bytes on their way through a socket look like waiting: `leap_s` is how long everybody must, in real time.
    """
    run_in_virtual_time(test, leap_s=leap_s) if virtual_time else trio.run(test)


class RawClient:
    """One connection: frames in, frames out, nothing checked."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._received = bytearray()

    async def send(self, request: Message, version: int, correlation_id: int = 1) -> None:
        await self.stream.send_all(request_frame(request, version, correlation_id, "test"))

    async def receive(self) -> bytes | None:
        """The next frame without its length; None if the server closed."""
        while True:
            size = int.from_bytes(self._received[:4], "big")
            if len(self._received) >= 4 + size and len(self._received) >= 4:
                frame = bytes(self._received[4 : 4 + size])
                del self._received[: 4 + size]
                return frame
            try:
                data = await self.stream.receive_some(65536)
            except trio.BrokenResourceError:
                return None
            if not data:
                return None
            self._received += data

    async def ask(self, request: Message, version: int, response: type[Message]) -> Message | None:
        """Send one request and decode its answer; None if the server closed instead."""
        await self.send(request, version)
        frame = await self.receive()
        if frame is None:
            return None
        _, body = read_response_header(frame, response_header_version(request.API_KEY, version))
        return decode(response, frame, version, offset=body)

    async def is_answered(self) -> bool:
        """Whether the server still answers this connection."""
        await self.send(ApiVersionsRequest(), 0)
        return await self.receive() is not None


class Served:
    """A running server's address, and the clients that connected to it."""

    def __init__(
        self, addresses: list[tuple[str, int]], scope: trio.CancelScope, has_stopped: trio.Event
    ) -> None:
        self.addresses = addresses
        self.clients: list[RawClient] = []
        self._scope = scope
        self._has_stopped = has_stopped

    async def stop(self) -> None:
        """Stop the server as a signal would, and wait until it has."""
        self._scope.cancel()
        await self._has_stopped.wait()

    async def connect(self, address: tuple[str, int] | None = None) -> RawClient:
        """A client at an address, or at the first listener's."""
        client = RawClient(await trio.open_tcp_stream(*(address or self.addresses[0])))
        self.clients.append(client)
        return client


@asynccontextmanager
async def serving(data_dir: Path, **settings: str) -> AsyncIterator[Served]:
    """A server with some settings (`_` for `.` in their keys) and a topic `t`; gives what connects to it."""
    static = {key.replace("_", "."): value for key, value in settings.items()}
    config = BrokerConfig({"listeners": "PLAINTEXT://127.0.0.1:0"} | static)
    addresses: list[str] = []
    is_ready, has_stopped = trio.Event(), trio.Event()
    stop = trio.CancelScope()

    def ready(served: list[str]) -> None:
        addresses.extend(served)
        is_ready.set()

    async def server() -> None:
        with stop:
            await serve(config, data_dir, ready=ready, topics=[("t", 1)], clock=ManualClock())
        has_stopped.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(server)
        await is_ready.wait()
        served = Served([_split(address) for address in addresses], stop, has_stopped)
        try:
            yield served
        finally:
            stop.cancel()
            for client in served.clients:
                client.stream.socket.close()


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return (host.strip("[]"), int(port))


def correlation_id(frame: bytes | None) -> int | None:
    return None if frame is None else int.from_bytes(frame[:4], "big")


def reset(client: RawClient) -> None:
    """End a connection with a reset instead of a goodbye."""
    client.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.stream.socket.close()
