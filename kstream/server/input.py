"""Bytes from a socket, kept until they are whole frames.

A frame is a length (int32, big endian) and that many bytes. A frame is never allocated before its bytes
arrive: the small buffer is filled first, and a large one at most doubles what is there, so a peer that
announces 100 MiB and stays silent has cost nothing. Large buffers come from a pool and go back while a
connection is idle, so memory follows what is in flight and not how many connections there are.
"""

from __future__ import annotations

from struct import Struct

from kstream.errors import ProtocolError

SMALL_SIZE_BYTES = 4 * 1024
_LARGE_SIZE_BYTES_MIN = 64 * 1024

_read_size = Struct(">i").unpack_from


class BufferPool:
    """Large buffers that nobody uses now, at most `size_bytes_max` of them together."""

    def __init__(self, size_bytes_max: int = 8 * 1024 * 1024) -> None:
        self._free: list[bytearray] = []
        self._size_bytes = 0
        self._size_bytes_max = size_bytes_max

    def take(self, size_bytes: int, *, wanted_bytes: int) -> bytearray:
        """A buffer of `wanted_bytes` if one lies here, else a new one of `size_bytes`."""
        for position in range(len(self._free) - 1, -1, -1):
            if len(self._free[position]) >= wanted_bytes:
                buffer = self._free.pop(position)
                self._size_bytes -= len(buffer)
                return buffer
        # Powers of two, so that buffers of frames of about one size serve each other.
        return bytearray(1 << (size_bytes - 1).bit_length())

    def give(self, buffer: bytearray) -> None:
        if self._size_bytes + len(buffer) <= self._size_bytes_max:
            self._free.append(buffer)
            self._size_bytes += len(buffer)


class FrameBuffer:
    """What one connection has received and not yet handled."""

    __slots__ = ("_buffer", "_end", "_frame_size_bytes_max", "_pool", "_small", "_start", "_view")

    def __init__(self, pool: BufferPool, frame_size_bytes_max: int) -> None:
        self._pool = pool
        self._frame_size_bytes_max = frame_size_bytes_max
        self._small = self._buffer = bytearray(SMALL_SIZE_BYTES)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0

    @property
    def is_empty(self) -> bool:
        return self._start == self._end

    def next_frame(self) -> memoryview | None:
        """The next whole frame without its length, or None if more bytes are needed.

        The view is good until the next call of `space`.

        Raises:
            ProtocolError: the length is negative or over `socket.request.max.bytes`.
        """
        start = self._start
        received = self._end - start
        if received < 4:
            return None
        (size,) = _read_size(self._buffer, start)
        if not 0 <= size <= self._frame_size_bytes_max:
            raise ProtocolError(f"a frame of {size} bytes, outside 0 to {self._frame_size_bytes_max}")
        if received - 4 < size:
            return None
        self._start = start + 4 + size
        return self._view[start + 4 : start + 4 + size]

    def space(self) -> memoryview:
        """Where the next received bytes go; never empty. Report them with `received`."""
        start, end = self._start, self._end
        if start == end:
            self._start = self._end = end = 0
            if self._buffer is not self._small:
                self._pool.give(self._buffer)
                self._use(self._small)
            return self._view
        capacity = len(self._buffer)
        filled = end - start
        needed = self._frame_needs(filled)
        if needed > capacity and (filled == capacity or self._buffer is not self._small):
            size = min(needed, max(2 * filled, _LARGE_SIZE_BYTES_MIN))
            if size > capacity:
                self._grow(size, needed)
                return self._view[self._end :]
        if start and (start + needed > capacity or end == capacity):
            # Overlapping ranges: a slice assignment through one memoryview moves like memmove.
            self._view[:filled] = self._view[start:end]
            self._start, self._end = 0, filled
        return self._view[self._end :]

    def received(self, size_bytes: int) -> None:
        self._end += size_bytes

    def close(self) -> None:
        """Give a large buffer back to the pool."""
        if self._buffer is not self._small:
            self._pool.give(self._buffer)
            self._use(self._small)
        self._start = self._end = 0

    def _frame_needs(self, filled: int) -> int:
        if filled < 4:
            return 4
        (size,) = _read_size(self._buffer, self._start)
        return 4 + int(size)

    def _grow(self, size_bytes: int, wanted_bytes: int) -> None:
        filled = self._end - self._start
        buffer = self._pool.take(size_bytes, wanted_bytes=wanted_bytes)
        old, pending = self._buffer, self._view[self._start : self._end]
        self._use(buffer)
        self._view[:filled] = pending
        self._start, self._end = 0, filled
        if old is not self._small:
            self._pool.give(old)

    def _use(self, buffer: bytearray) -> None:
        self._buffer = buffer
        self._view = memoryview(buffer)
