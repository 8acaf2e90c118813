"""Wait for a broker by asking it: a Metadata request in plain bytes, from no client library."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable

# Metadata v1 with an empty topic list asks for the brokers alone.
_METADATA = struct.pack(">hhih6si", 3, 1, 1, 6, b"waiter", 0)
_FRAME = struct.pack(">i", len(_METADATA)) + _METADATA


def count_of_brokers(address: tuple[str, int], timeout_s: float = 5.0) -> int:
    """How many brokers the one at `address` names; OSError if it cannot be asked."""
    with socket.create_connection(address, timeout_s) as connection:
        connection.sendall(_FRAME)
        answer = receive_exactly(connection, 12)
    _size, _correlation_id, count = struct.unpack(">iii", answer)
    return int(count)


def wait_for_broker(address: tuple[str, int], *, timeout_s: float, pause: Callable[[], None]) -> bool:
    """Ask until a broker answers that there is one, calling `pause` between; False after `timeout_s`.

    `pause` takes a moment, and may raise to end the waiting (as when the process has ended).
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            if count_of_brokers(address) > 0:
                return True
        except OSError:
            pass  # Not listening yet, or it listens and does not serve: both are what is waited for.
        pause()
    return False


def receive_exactly(connection: socket.socket, size_bytes: int) -> bytes:
    """Just so many bytes; ConnectionResetError if the peer closes before."""
    received = bytearray()
    while len(received) < size_bytes:
        piece = connection.recv(size_bytes - len(received))
        if not piece:
            raise ConnectionResetError("closed before the answer was whole")
        received += piece
    return bytes(received)
