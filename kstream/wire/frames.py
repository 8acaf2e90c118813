"""Cutting a stream of bytes into frames: a four-byte length, then that many bytes. No I/O happens here.

Feed what arrived with `receive`, then take frames with `next_frame` until it returns None, which means "not
yet". A length below zero or above the bound is the peer's fault and raises at once, before anything is
allocated: memory grows with the bytes that really arrived, never with what was announced.
"""

from __future__ import annotations

from typing import Final

from kstream.errors import ProtocolError

LENGTH_SIZE: Final = 4
SIZE_BYTES_MAX_DEFAULT: Final = 100 * 1024 * 1024
"""Kafka's default of `socket.request.max.bytes`."""


def frame_size(prefix: bytes | bytearray | memoryview, size_bytes_max: int = SIZE_BYTES_MAX_DEFAULT) -> int:
    """The size of the frame behind a length prefix, which is the first four bytes of `prefix`.

    Raises:
        ProtocolError: the size is negative or above the bound.
    """
    size = int.from_bytes(prefix[:LENGTH_SIZE], "big", signed=True)
    if size < 0:
        raise ProtocolError(f"a frame of {size} bytes", where="frame")
    if size > size_bytes_max:
        raise ProtocolError(f"a frame of {size} bytes, {size_bytes_max} are allowed", where="frame")
    return size


class FrameSplitter:
    """Yields whole frames, without their length prefix, from bytes that arrive in any pieces."""

    __slots__ = ("_buffer", "_position", "_size", "size_bytes_max")

    def __init__(self, size_bytes_max: int = SIZE_BYTES_MAX_DEFAULT) -> None:
        self.size_bytes_max = size_bytes_max
        self._buffer = bytearray()
        self._position = 0
        self._size = -1

    @property
    def pending_bytes(self) -> int:
        """Bytes that arrived and belong to no frame that was taken yet."""
        return len(self._buffer) - self._position

    @property
    def missing_bytes(self) -> int:
        """How many more bytes the next frame needs at least; what to read next."""
        wanted = LENGTH_SIZE if self._size < 0 else self._size
        return max(0, wanted - self.pending_bytes)

    def receive(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes from the peer."""
        if self._position:
            del self._buffer[: self._position]
            self._position = 0
        self._buffer += data

    def next_frame(self) -> bytes | None:
        """The next whole frame, or None until more arrives.

        Raises:
            ProtocolError: the announced size is negative or above the bound. The stream is of no use after
            that.
        """
        buffer = self._buffer
        if self._size < 0:
            if len(buffer) - self._position < LENGTH_SIZE:
                return None
            size = frame_size(buffer[self._position : self._position + LENGTH_SIZE], self.size_bytes_max)
            self._position += LENGTH_SIZE
            self._size = size
        end = self._position + self._size
        if len(buffer) < end:
            return None
        with memoryview(buffer) as view:
            frame = bytes(view[self._position : end])
        self._position = end
        self._size = -1
        return frame
