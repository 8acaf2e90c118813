"""Frames come out whole and in order, however the bytes arrive, and nothing is allocated before its bytes are
here.
"""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.errors import ProtocolError
from kstream.server.input import SMALL_SIZE_BYTES, BufferPool, FrameBuffer

FRAME_SIZE_BYTES_MAX = 100 * 1024 * 1024


def frame(payload: bytes) -> bytes:
    return struct.pack(">i", len(payload)) + payload


def receive(buffer: FrameBuffer, data: bytes, chunk_sizes: list[int]) -> list[bytes]:
    """Feed `data` as a socket would: never more than the space offered, in chunks of the given sizes,
    cyclically.
    """
    frames: list[bytes] = []
    position, turn = 0, 0
    while True:
        while (whole := buffer.next_frame()) is not None:
            frames.append(bytes(whole))
        if position == len(data):
            return frames
        space = buffer.space()
        size = min(len(space), chunk_sizes[turn % len(chunk_sizes)], len(data) - position)
        assert size > 0
        space[:size] = data[position : position + size]
        buffer.received(size)
        position += size
        turn += 1


@given(
    st.lists(st.integers(0, 3 * SMALL_SIZE_BYTES), max_size=12),
    st.lists(st.integers(1, 70_000), min_size=1, max_size=5),
)
def test_frames_survive_any_chunking(sizes: list[int], chunk_sizes: list[int]) -> None:
    payloads = [bytes([number % 251]) * size for number, size in enumerate(sizes)]
    buffer = FrameBuffer(BufferPool(), FRAME_SIZE_BYTES_MAX)
    assert receive(buffer, b"".join(map(frame, payloads)), chunk_sizes) == payloads
    assert buffer.is_empty


def test_large_frames_and_their_successors() -> None:
    payloads = [bytes([number]) * size for number, size in enumerate([2_000_000, 3, 1_000_000, 0, 1_000_007])]
    buffer = FrameBuffer(BufferPool(), FRAME_SIZE_BYTES_MAX)
    assert receive(buffer, b"".join(map(frame, payloads)), [150_000]) == payloads


@pytest.mark.parametrize("size", [-1, -(2**31), FRAME_SIZE_BYTES_MAX + 1, 2**31 - 1])
def test_lengths_out_of_bounds_are_refused(size: int) -> None:
    buffer = FrameBuffer(BufferPool(), FRAME_SIZE_BYTES_MAX)
    with pytest.raises(ProtocolError, match=str(size)):
        receive(buffer, struct.pack(">i", size), [4])


def test_an_announced_length_allocates_nothing() -> None:
    buffer = FrameBuffer(BufferPool(), FRAME_SIZE_BYTES_MAX)
    assert receive(buffer, struct.pack(">i", FRAME_SIZE_BYTES_MAX), [4]) == []
    offered = len(buffer.space())
    assert offered <= 128 * 1024


def test_an_idle_connection_gives_its_large_buffer_back() -> None:
    pool = BufferPool()
    first, second = (FrameBuffer(pool, FRAME_SIZE_BYTES_MAX) for _ in range(2))
    large = frame(b"x" * 500_000)
    assert len(receive(first, large, [200_000])) == 1
    assert len(first.space()) == SMALL_SIZE_BYTES
    kept = pool.take(1, wanted_bytes=500_000)
    assert len(kept) >= 500_000
    pool.give(kept)
    assert len(receive(second, large, [200_000])) == 1


def test_the_pool_keeps_a_bounded_amount() -> None:
    pool = BufferPool(size_bytes_max=1024)
    pool.give(bytearray(1000))
    pool.give(bytearray(1000))
    assert len(pool.take(10, wanted_bytes=1000)) == 1000
    assert len(pool.take(10, wanted_bytes=1000)) == 16
