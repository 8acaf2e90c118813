"""Record batches for scenarios: well-formed ones, and ones with one thing wrong."""

from __future__ import annotations

import struct
import zlib
from typing import Any

from kstream.records.batch import (
    ATTRIBUTES_POSITION,
    CRC_POSITION,
    HEADER_SIZE,
    crc_of,
)
from kstream.records.builder import build_batch

T0 = 1_600_000_000_000
"""The time of the first record of every batch: fixed, so that recordings are the same every time."""

# Position and format of the header's fields.
_PLACES = {
    "base_offset": (0, ">q"),
    "length": (8, ">i"),
    "leader_epoch": (12, ">i"),
    "magic": (16, ">b"),
    "crc": (CRC_POSITION, ">I"),
    "attributes": (ATTRIBUTES_POSITION, ">h"),
    "last_offset_delta": (23, ">i"),
    "base_timestamp": (27, ">q"),
    "max_timestamp": (35, ">q"),
    "producer_id": (43, ">q"),
    "producer_epoch": (51, ">h"),
    "base_sequence": (53, ">i"),
    "count": (57, ">i"),
}


def batch(
    *values: bytes | None, at_ms: int = T0, step_ms: int = 10, key: bytes | None = b"k", **how: Any
) -> bytes:
    """A batch of records with these values, `step_ms` apart; one record `v` if none are given."""
    records = [(at_ms + index * step_ms, key, value) for index, value in enumerate(values or (b"v",))]
    return build_batch(records, **how)


def patched(data: bytes, *, fix_crc: bool = True, **fields: int) -> bytes:
    """The batch with header fields set to something else, by default with a CRC to match."""
    changed = bytearray(data)
    for name, value in fields.items():
        position, form = _PLACES[name]
        struct.pack_into(form, changed, position, value)
    if fix_crc and "crc" not in fields:
        with_crc(changed)
    return bytes(changed)


def with_payload(data: bytes, payload: bytes) -> bytes:
    """The batch with other bytes where its records are, and length and CRC to match."""
    changed = bytearray(data[:HEADER_SIZE] + payload)
    struct.pack_into(">i", changed, 8, len(changed) - 12)
    with_crc(changed)
    return bytes(changed)


def with_crc(data: bytearray) -> None:
    """Write the CRC that belongs to the batch."""
    struct.pack_into(">I", data, CRC_POSITION, crc_of(data, 0, len(data)))


def flipped(data: bytes, position: int) -> bytes:
    """The batch with one bit changed, and the CRC as it was."""
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)


def old_message(magic: int, value: bytes = b"v") -> bytes:
    """A message set of one message in the format of magic 0 or 1, which Kafka 4 no longer takes (KIP-724)."""
    body = struct.pack(">bb", magic, 0)
    if magic == 1:
        body += struct.pack(">q", T0)
    body += struct.pack(">i", -1) + struct.pack(">i", len(value)) + value
    message = struct.pack(">I", zlib.crc32(body)) + body
    return struct.pack(">qi", 0, len(message)) + message
