"""Batches as Apache Kafka 4.4.0's own library builds them, for tests of bytes.

Two records at offsets 77 and 78: without key, with two headers; and with key "key1".
"""

from __future__ import annotations

from kstream.records.compression import Codec
from kstream.records.record import Record

RECORDS = [
    Record(77, 1_700_000_000_000, None, b"vvvvv", (("hé", None), ("x", b"\x01\x02"))),
    Record(78, 1_700_000_001_000, b"key1", b"vvvvv", ()),
]

_BEHIND_CRC = "0000018bcfe568000000018bcfe56be80000000000000fa000020000000a00000002"

BATCHES = {
    Codec.NONE: bytes.fromhex(
        "000000000000004d00000058000000060214b00e70000000000001"
        + _BEHIND_CRC
        + "2a000000010a7676767676040668c3a90102780401022000d00f02086b6579310a767676767600"
    ),
    Codec.GZIP: bytes.fromhex(
        "000000000000004d000000650000000602d9421c2f000100000001"
        + _BEHIND_CRC
        + "1f8b08000000000000ffd362606060e42a030116b68cc32b19992a58189914182ef0337164a7561a42a41800af84650427"
        "000000"
    ),
    Codec.SNAPPY: bytes.fromhex(
        "000000000000004d0000006d0000000602414691d8000200000001"
        + _BEHIND_CRC
        + "82534e415050590000000001000000010000002827182a000000010a7601016c040668c3a90102780401022000d00f02"
        "086b6579310a767676767600"
    ),
    Codec.LZ4: bytes.fromhex(
        "000000000000004d00000067000000060230bccac1000300000001"
        + _BEHIND_CRC
        + "04224d18604082270000802a000000010a7676767676040668c3a90102780401022000d00f02086b6579310a76767676"
        "760000000000"
    ),
    Codec.ZSTD: bytes.fromhex(
        "000000000000004d000000640000000602a09bf933000400000001"
        + _BEHIND_CRC
        + "28b52ffd00583801002a000000010a7676767676040668c3a90102780401022000d00f02086b6579310a767676767600"
        "010000"
    ),
}

HEADER_FIELDS = {
    "base_offset": 77,
    "partition_leader_epoch": 6,
    "magic": 2,
    "last_offset_delta": 1,
    "base_timestamp_ms": 1_700_000_000_000,
    "max_timestamp_ms": 1_700_000_001_000,
    "producer_id": 4000,
    "producer_epoch": 2,
    "base_sequence": 10,
    "record_count": 2,
}
"""The header of each, without length, CRC and attributes."""
