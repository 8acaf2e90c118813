"""Frames come out whole however their bytes arrive."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kstream.errors import ProtocolError
from kstream.wire.codec import decode, encode
from kstream.wire.frames import FrameSplitter, frame_size
from kstream.wire.messages.metadata import MetadataRequest, MetadataRequestTopic


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def test_byte_by_byte() -> None:
    messages = [
        MetadataRequest(topics=[MetadataRequestTopic(name=f"topic-{i}") for i in range(count)])
        for count in (0, 1, 9)
    ]
    stream = b"".join(framed(encode(message, 12)) for message in messages)
    splitter = FrameSplitter()
    decoded = []
    for byte in stream:
        assert splitter.missing_bytes > 0
        splitter.receive(bytes([byte]))
        frame = splitter.next_frame()
        if frame is not None:
            decoded.append(decode(MetadataRequest, frame, 12))
    assert decoded == messages
    assert splitter.pending_bytes == 0


@settings(derandomize=True, database=None, max_examples=60)
@given(bodies=st.lists(st.binary(max_size=30), max_size=6), cuts=st.lists(st.integers(0, 200), max_size=6))
def test_any_pieces(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(framed(body) for body in bodies)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    splitter = FrameSplitter()
    seen = []
    for start, end in pairwise(edges):
        splitter.receive(stream[start:end])
        while (frame := splitter.next_frame()) is not None:
            seen.append(frame)
    assert seen == bodies


@pytest.mark.parametrize("prefix", [b"\xff\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\x65", b"\x7f\xff\xff\xff"])
def test_sizes_out_of_bounds(prefix: bytes) -> None:
    """Refused at the fourth byte, whatever follows."""
    splitter = FrameSplitter(size_bytes_max=100)
    splitter.receive(prefix[:3])
    assert splitter.next_frame() is None
    splitter.receive(prefix[3:])
    with pytest.raises(ProtocolError, match="frame: a frame of"):
        splitter.next_frame()


def test_an_announced_size_allocates_nothing() -> None:
    splitter = FrameSplitter(size_bytes_max=100 << 20)
    splitter.receive((100 << 20).to_bytes(4, "big") + b"abc")
    assert splitter.next_frame() is None
    assert splitter.pending_bytes == 3
    assert splitter.missing_bytes == (100 << 20) - 3


def test_the_largest_size_passes() -> None:
    assert frame_size(b"\0\0\0\x64rest", 100) == 100
    assert frame_size(b"\0\0\0\0") == 0
