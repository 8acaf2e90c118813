"""A thin blocking client on `kstream.wire`, for tests and tools.

It retries nothing, hides nothing and knows no broker but the one it is connected to. `request` is the polite
way in; `send_raw` and `receive_raw` are there for bytes that no polite client would send.
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from types import TracebackType
from typing import Any, Self

from kstream.errors import ErrorCode, KstreamError, ProtocolError
from kstream.wire.apis import Api, ApiKey, api
from kstream.wire.codec import decode
from kstream.wire.headers import read_response_header, request_frame, response_header_version
from kstream.wire.schema import Message

_SIZE = struct.Struct(">i")
_RECEIVE_SIZE_BYTES = 1 << 16
_UNSUPPORTED_VERSION = ErrorCode.UNSUPPORTED_VERSION.to_bytes(2, "big")


class ConnectionClosed(KstreamError):
    """The server closed the connection while an answer was awaited."""


class WireClient:
    """One connection to one broker. Use it as a context manager; it is not thread-safe.

    `timeout_s` bounds each wait on the socket; `TimeoutError` is raised when it runs out. A `client_id` of
    None is sent as null.
    """

    def __init__(
        self, host: str, port: int, *, client_id: str | None = "kstream-testing", timeout_s: float = 30.0
    ) -> None:
        self.client_id = client_id
        self.socket = socket.create_connection((host, port), timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._next_correlation_id = 1
        self._awaited: deque[tuple[int, Api, int]] = deque()
        self._received = bytearray()

    def request(self, message: Message, version: int) -> Any:
        """Send one request and wait for its answer, an instance of its API's response class.

        Raises ConnectionClosed, TimeoutError, and ProtocolError if the answer is not one to this request.
        """
        self.send(message, version)
        return self.receive()

    def send(self, message: Message, version: int) -> int:
        """Send a request without waiting, as pipelining clients do; returns its correlation id."""
        correlation_id = self._next_correlation_id
        self._next_correlation_id += 1
        self.send_raw(self.frame(message, version, correlation_id))
        self.expect(message, version, correlation_id)
        return correlation_id

    def expect(self, message: Message, version: int, correlation_id: int) -> None:
        """Note that `receive` will find the answer to a request whose frame went out through `send_raw`."""
        self._awaited.append((correlation_id, api(ApiKey(message.API_KEY)), version))

    def frame(self, message: Message, version: int, correlation_id: int) -> bytes:
        """The bytes of a request as they go over the wire: length, header, body."""
        return request_frame(message, version, correlation_id, self.client_id)

    def receive(self) -> Any:
        """Wait for the answer to the earliest request not answered yet. After a TimeoutError, ask again."""
        correlation_id, called, version = self._awaited[0]
        answer = self.receive_frame()
        self._awaited.popleft()
        answered, position = read_response_header(answer, response_header_version(called.key, version))
        if answered != correlation_id:
            raise ProtocolError(
                f"an answer to request {answered}, where {correlation_id} is next", where=called.name
            )
        if called.key == ApiKey.API_VERSIONS and answer[position : position + 2] == _UNSUPPORTED_VERSION:
            version = 0  # it comes in the one form that every client can read (KIP-511)
        return decode(called.response, answer, version, offset=position)

    def receive_frame(self) -> bytes:
        """One length-prefixed frame, without the length."""
        self._fill(_SIZE.size)
        (size_bytes,) = _SIZE.unpack_from(self._received)
        if size_bytes < 0:
            raise ProtocolError(f"answer of {size_bytes} bytes", where="frame")
        self._fill(_SIZE.size + size_bytes)
        return self._take(_SIZE.size + size_bytes)[_SIZE.size :]

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def receive_raw(self, size_bytes: int) -> bytes:
        """Wait for exactly that many bytes. Raises ConnectionClosed if the server closes before."""
        self._fill(size_bytes)
        return self._take(size_bytes)

    def _fill(self, size_bytes: int) -> None:
        while len(self._received) < size_bytes:
            try:
                piece = self.socket.recv(max(_RECEIVE_SIZE_BYTES, size_bytes - len(self._received)))
            except ConnectionError as error:
                raise ConnectionClosed(
                    f"reset with {len(self._received)} of {size_bytes} bytes here"
                ) from error
            if not piece:
                raise ConnectionClosed(f"closed with {len(self._received)} of {size_bytes} bytes here")
            self._received += piece

    def _take(self, size_bytes: int) -> bytes:
        data = bytes(self._received[:size_bytes])
        del self._received[:size_bytes]
        return data

    def is_closed(self, timeout_s: float = 5.0) -> bool:
        """Whether the server closes this connection within `timeout_s`, unread answers put aside."""
        before_s = self.socket.gettimeout()
        self.socket.settimeout(timeout_s)
        try:
            while piece := self.socket.recv(_RECEIVE_SIZE_BYTES):
                self._received += piece
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        finally:
            self.socket.settimeout(before_s)
        return True

    def half_close(self) -> None:
        """End our direction, and go on reading."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close with a TCP reset in place of a goodbye."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
