"""Frames of cluster metadata records, byte for byte as Apache Kafka 4.4.0's library writes them."""

from __future__ import annotations

import pytest

from kstream.records.batch import CorruptBatch
from kstream.records.metadata import MetadataRecord, decode_metadata, encode_metadata
from kstream.records.schemas.metadata import (
    RECORDS,
    FeatureLevelRecord,
    NoOpRecord,
    PartitionRecord,
    TopicRecord,
)
from kstream.wire.schema import Message


def uuid(high: int, low: int) -> bytes:
    return high.to_bytes(8, "big") + low.to_bytes(8, "big")


GOLDEN: list[tuple[Message, int, str]] = [
    (
        TopicRecord(name="orders", topic_id=uuid(1, 2)),
        0,
        "010200076f72646572730000000000000001000000000000000200",
    ),
    (
        PartitionRecord(
            partition_id=3, topic_id=uuid(1, 2), replicas=[1], isr=[1], leader=1, directories=[uuid(3, 4)]
        ),
        1,
        "010301000000030000000000000001000000000000000202000000010200000001010100000001ffffffffffffffff0200000000"
        "00000003000000000000000400",
    ),
    (
        FeatureLevelRecord(name="metadata.version", feature_level=29),
        0,
        "010c00116d657461646174612e76657273696f6e001d00",
    ),
    (NoOpRecord(), 0, "01140000"),
]


@pytest.mark.parametrize(
    ("message", "version", "golden"), GOLDEN, ids=[type(case[0]).__name__ for case in GOLDEN]
)
def test_kafkas_bytes(message: Message, version: int, golden: str) -> None:
    assert encode_metadata(message, version).hex() == golden
    assert decode_metadata(bytes.fromhex(golden)) == MetadataRecord(message, version)
    assert decode_metadata(memoryview(bytes.fromhex(golden))) == MetadataRecord(message, version)


@pytest.mark.parametrize("record", RECORDS.values(), ids=lambda record: record.__name__)
def test_every_record_in_every_version(record: type[Message]) -> None:
    for version in record.VERSIONS:
        message = record()
        assert decode_metadata(encode_metadata(message, version)) == MetadataRecord(message, version)


WRONG = {
    "null": None,
    "empty": "",
    "frame version 0": "00020000",
    "frame version 2": "02140000",
    "unknown type": "017f0000",
    "type cut short": "01ff",
    "varint too long": "01ffffffffffff00",
    "unknown version": "01140100",
    "body cut short": GOLDEN[0][2][:-4],
    "bytes behind": GOLDEN[0][2] + "00",
}


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG)
def test_what_is_not_a_record(value: str | None) -> None:
    with pytest.raises(CorruptBatch, match="metadata record"):
        decode_metadata(None if value is None else bytes.fromhex(value))
