"""From nothing to the first acknowledged record, by plain bytes: no client library's back-off is measured."""

from __future__ import annotations

import socket
import struct
import time

import crc32c

from compat.readiness import receive_exactly

TOPIC = b"first"
_TIMEOUT_S = 60.0
_PAUSE_S = 0.002
_CLIENT = struct.pack(">h5s", 5, b"first")


def produce_first_record(address: tuple[str, int]) -> None:
    """Connect once the server listens, have it create the topic, and produce until a record is acknowledged.

    Raises TimeoutError if that takes more than a minute.
    """
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(address, _TIMEOUT_S) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while time.monotonic() < deadline:
                    _exchange(connection, _metadata_request())
                    if _error_code(_exchange(connection, _produce_request())) == 0:
                        return
                    time.sleep(_PAUSE_S)
        except ConnectionError:
            time.sleep(_PAUSE_S)
    raise TimeoutError(f"no record was acknowledged within {_TIMEOUT_S:g} s")


def _metadata_request() -> bytes:
    """Metadata v4 of the topic, which creates it: topics, allow_auto_topic_creation."""
    return struct.pack(">hhi", 3, 4, 1) + _CLIENT + struct.pack(f">ih{len(TOPIC)}sb", 1, len(TOPIC), TOPIC, 1)


def _produce_request() -> bytes:
    """Produce v3 of one record: transactional_id, acks, timeout_ms, topics of partitions of records."""
    batch = one_record_batch(b"the first")
    head = struct.pack(f">hhiih{len(TOPIC)}siii", -1, 1, 30000, 1, len(TOPIC), TOPIC, 1, 0, len(batch))
    return struct.pack(">hhi", 0, 3, 2) + _CLIENT + head + batch


def one_record_batch(value: bytes) -> bytes:
    """A record batch, magic 2, of one record without a key; lengths, all below 64, are zigzag bytes."""
    record = struct.pack(">bbbb", 0, 0, 0, 1) + bytes([len(value) * 2]) + value + b"\0"
    record = bytes([len(record) * 2]) + record
    now_ms = int(time.time() * 1000)
    body = struct.pack(">hiqqqhii", 0, 0, now_ms, now_ms, -1, -1, -1, 1) + record
    return struct.pack(">qiibI", 0, 9 + len(body), -1, 2, crc32c.crc32c(body)) + body


def _error_code(response: bytes) -> int:
    """The error of the only partition: after correlation id, topic count, name, partition count and index."""
    return int(struct.unpack_from(">h", response, 4 + 4 + 2 + len(TOPIC) + 4 + 4)[0])


def _exchange(connection: socket.socket, request: bytes) -> bytes:
    connection.sendall(struct.pack(">i", len(request)) + request)
    size = struct.unpack(">i", receive_exactly(connection, 4))[0]
    return receive_exactly(connection, size)
