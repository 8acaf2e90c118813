"""Variable-length integers and uuids."""

from __future__ import annotations

import importlib
import warnings
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kstream.wire import primitives, uuids

INT32, INT64 = st.integers(-(1 << 31), (1 << 31) - 1), st.integers(-(1 << 63), (1 << 63) - 1)
quick = settings(derandomize=True, database=None, max_examples=80)


@quick
@given(value=st.integers(0, (1 << 32) - 1))
def test_uvarint(value: int) -> None:
    raw = primitives.uvarint(value)
    assert primitives.read_uvarint(b"\xff" + raw + b"\xff", 1) == (value, 1 + len(raw))
    assert primitives.uvarint_size_bytes(value) == len(raw) <= 5


@quick
@given(value=INT32)
def test_varint(value: int) -> None:
    raw = primitives.varint(value)
    assert primitives.read_varint(memoryview(raw), 0) == (value, len(raw))
    assert len(raw) <= 5


@quick
@given(value=INT64)
def test_varlong(value: int) -> None:
    raw = primitives.varlong(value)
    assert primitives.read_varlong(raw, 0) == (value, len(raw))
    assert len(raw) <= 10


@quick
@given(value=INT64)
def test_kafka_python_agrees(value: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        util = importlib.import_module("kafka.record.util")
    out = bytearray()
    util.encode_varint(value, out.append)
    assert primitives.varlong(value) == bytes(out)


@pytest.mark.parametrize(
    ("value", "raw"), [(0, "00"), (-1, "01"), (1, "02"), (63, "7e"), (-64, "7f"), (64, "8001"), (300, "d804")]
)
def test_zigzag(value: int, raw: str) -> None:
    assert primitives.varint(value).hex() == raw


@pytest.mark.parametrize("raw", [b"\x80\x80\x80\x80\x80\x00", b"\xff\xff\xff\xff\x1f", b"\xff" * 5])
def test_varints_are_bounded(raw: bytes) -> None:
    with pytest.raises(primitives.BadEncoding):
        primitives.read_varint(raw, 0)


@pytest.mark.parametrize("raw", [b"\x80" * 10 + b"\0", b"\xff" * 9 + b"\x02"])
def test_varlongs_are_bounded(raw: bytes) -> None:
    with pytest.raises(primitives.BadEncoding):
        primitives.read_varlong(raw, 0)


@pytest.mark.parametrize("raw", [b"", b"\x80", b"\xff\xff\xff"])
def test_the_end_of_the_buffer(raw: bytes) -> None:
    with pytest.raises(IndexError):
        primitives.read_uvarint(raw, 0)
    with pytest.raises(IndexError):
        primitives.read_varlong(raw, 0)


def test_negative_sizes_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="negative"):
        primitives.uvarint(-1)


def test_uuid_text() -> None:
    """Kafka's own examples of its form: reserved ids, and one that it printed."""
    assert uuids.format_uuid(bytes(16)) == "AAAAAAAAAAAAAAAAAAAAAA"
    assert uuids.format_uuid(uuids.METADATA_TOPIC_ID) == "AAAAAAAAAAAAAAAAAAAAAQ"
    assert uuids.parse_uuid("4L6g3nShT-eMCtK--X86sw") == UUID("e0bea0de-74a1-4fe7-8c0a-d2bef97f3ab3").bytes


@quick
@given(raw=st.binary(min_size=16, max_size=16))
def test_uuid_text_round_trip(raw: bytes) -> None:
    assert uuids.parse_uuid(uuids.format_uuid(raw)) == raw


@pytest.mark.parametrize("text", ["", "AAAA", "!" * 22, "A" * 23, "A" * 100, "ÄAAAAAAAAAAAAAAAAAAAAA"])
def test_bad_uuid_text(text: str) -> None:
    with pytest.raises(ValueError, match="uuid"):
        uuids.parse_uuid(text)


def test_random_uuids() -> None:
    made = [uuids.random_uuid() for _ in range(200)]
    assert len(set(made)) == 200
    assert not any(uuids.format_uuid(uuid).startswith("-") for uuid in made)
    assert all(UUID(bytes=uuid).version == 4 for uuid in made)
    with pytest.raises(ValueError, match="16 bytes"):
        uuids.format_uuid(b"short")
