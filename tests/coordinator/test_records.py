"""Coordinator records as bytes, and the partition of a key."""

from __future__ import annotations

import pytest

from kstream.coordinator.codec import RecordDecoder, encode_record
from kstream.coordinator.hashing import java_hash, partition_for
from kstream.coordinator.outcome import CoordinatorRecord
from kstream.records.errors import CorruptBatch
from kstream.records.schemas.group import KEYS, VALUES, OffsetCommitKey, OffsetCommitValue

DECODER = RecordDecoder(KEYS, VALUES)
KEY = OffsetCommitKey(group="g", topic="t", partition=3)


def test_bytes_are_kafkas() -> None:
    value = OffsetCommitValue(offset=258, metadata="m", commit_timestamp=1)
    key_bytes, value_bytes = encode_record(CoordinatorRecord(KEY, value, 3))
    assert key_bytes == b"\0\x01" + b"\0\x01g" + b"\0\x01t" + b"\0\0\0\x03"
    assert value_bytes is not None
    expected = b"\0\x03" + (258).to_bytes(8, "big") + b"\xff" * 4 + b"\0\x01m" + (1).to_bytes(8, "big")
    assert value_bytes == expected
    assert DECODER.decode(key_bytes, value_bytes) == CoordinatorRecord(KEY, value, 3)


def test_tombstones() -> None:
    key_bytes, value_bytes = encode_record(CoordinatorRecord(KEY, None))
    assert value_bytes is None
    assert DECODER.decode(key_bytes, None) == CoordinatorRecord(KEY, None)


def test_kinds_that_nobody_knows_are_passed_over() -> None:
    assert DECODER.decode(b"\x7f\xff", b"whatever") is None


@pytest.mark.parametrize(
    ("key", "value"),
    [(None, b""), (b"\0", b""), (b"\0\x01\0\x05x", None), (b"\0\x01\0\0\0\0\0\0\0\0", b"\0")],
)
def test_what_makes_no_sense_is_corrupt(key: bytes | None, value: bytes | None) -> None:
    with pytest.raises(CorruptBatch):
        DECODER.decode(key, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("", 0), ("a", 97), ("group", 98629247), ("polygenelubricants", -0x8000_0000), ("😀", 1772899)],
)
def test_strings_hash_as_in_java(text: str, value: int) -> None:
    assert java_hash(text) == value


def test_every_key_has_a_partition() -> None:
    assert partition_for("polygenelubricants", 50) == 0
    assert {partition_for(f"group-{n}", 50) for n in range(500)} == set(range(50))
