"""A server that does nothing but send one log segment: the ceiling of any fetch by the load generator.

librdkafka's mock cluster keeps 5 MB of a partition, too little to fetch from, so this takes its place. It
speaks the few versions that librdkafka needs to fetch, scans the segment once, and answers with whole batches
by sendfile.
"""

from __future__ import annotations

import bisect
import os
import socket
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from compat.readiness import receive_exactly
from compat.server_process import HOST

_PRODUCE, _FETCH, _LIST_OFFSETS, _METADATA, _API_VERSIONS = 0, 1, 2, 3, 18
_VERSIONS = {
    _PRODUCE: (3, 3),
    _FETCH: (4, 4),
    _LIST_OFFSETS: (1, 1),
    _METADATA: (4, 4),
    _API_VERSIONS: (0, 0),
}
_UNSUPPORTED_VERSION = 35


class CannedFetch:
    """Serves `segment`, the first of its partition, as partition 0 of `topic` while the `with` block runs."""

    def __init__(self, segment: Path, topic: str) -> None:
        self._topic = topic.encode()
        self._segment = segment.open("rb")
        self._offsets: list[int] = []  # base offset of each batch
        self._positions: list[int] = []  # where each batch begins, and where the last ends
        self._scan()
        self._listener = socket.create_server((HOST, 0))
        self.bootstrap = f"{HOST}:{self._listener.getsockname()[1]}"

    def _scan(self) -> None:
        position = 0
        size = os.fstat(self._segment.fileno()).st_size
        self.end_offset = 0
        while position + 61 <= size:
            head = os.pread(self._segment.fileno(), 27, position)
            base_offset, length, _epoch, _magic, _crc, _attributes, last_delta = struct.unpack(
                ">qiibIhi", head
            )
            if length == 0:
                break  # reserved space behind the last batch
            self._offsets.append(base_offset)
            self._positions.append(position)
            self.end_offset = base_offset + last_delta + 1
            position += 12 + length
        self._positions.append(position)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed: the `with` block has ended
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while True:
                try:
                    size = struct.unpack(">i", receive_exactly(connection, 4))[0]
                    request = receive_exactly(connection, size)
                    self._answer(connection, request)
                except OSError:
                    return  # the client has gone

    def _answer(self, connection: socket.socket, request: bytes) -> None:
        api_key, version, correlation_id, client_length = struct.unpack_from(">hhih", request)
        if api_key == _FETCH:
            self._answer_fetch(connection, correlation_id, request, 10 + max(0, client_length))
            return
        if api_key == _API_VERSIONS:
            body = self._api_versions(version)
        elif api_key == _METADATA:
            body = self._metadata()
        else:
            body = struct.pack(
                f">ih{len(self._topic)}siihqq", 1, len(self._topic), self._topic, 1, 0, 0, -1, 0
            )
        connection.sendall(struct.pack(">ii", 4 + len(body), correlation_id) + body)

    def _api_versions(self, version: int) -> bytes:
        known = b"".join(struct.pack(">hhh", key, *bounds) for key, bounds in _VERSIONS.items())
        return struct.pack(">hi", 0 if version == 0 else _UNSUPPORTED_VERSION, len(_VERSIONS)) + known

    def _metadata(self) -> bytes:
        host, _, port = self.bootstrap.rpartition(":")
        broker = struct.pack(f">iiih{len(host)}sih", 0, 1, 0, len(host), host.encode(), int(port), -1)
        topic = struct.pack(f">ihh{len(self._topic)}s?", 1, 0, len(self._topic), self._topic, False)
        return broker + struct.pack(">hi", -1, 0) + topic + struct.pack(">ihiiiiii", 1, 0, 0, 0, 1, 0, 1, 0)

    def _answer_fetch(
        self, connection: socket.socket, correlation_id: int, request: bytes, body: int
    ) -> None:
        topic_length = struct.unpack_from(">h", request, body + 21)[0]
        _count, _partition, offset, size_max = struct.unpack_from(">iiqi", request, body + 23 + topic_length)
        first = max(0, bisect.bisect_right(self._offsets, offset) - 1)
        start = self._positions[first]
        if offset >= self.end_offset:
            size = 0
        else:
            last = max(first + 1, bisect.bisect_right(self._positions, start + size_max) - 1)
            size = self._positions[last] - start
        name = struct.pack(f">iih{len(self._topic)}s", 0, 1, len(self._topic), self._topic)
        head = name + struct.pack(">iihqqii", 1, 0, 0, self.end_offset, self.end_offset, 0, size)
        connection.sendall(struct.pack(">ii", 4 + len(head) + size, correlation_id) + head, socket.MSG_MORE)
        while size > 0:
            sent = os.sendfile(connection.fileno(), self._segment.fileno(), start, size)
            start += sent
            size -= sent

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._segment.close()
