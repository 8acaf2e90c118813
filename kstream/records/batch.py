"""Record batch, format version 2 (KIP-98): the 61 bytes in front of the records.

    byte  0 base offset               int64
          8 length                    int32    bytes that follow this field
         12 partition leader epoch    int32
         16 magic                     int8     2
         17 CRC                       uint32   CRC-32C from the attributes to the end
         21 attributes                int16    bits: 0-2 codec, 3 LogAppendTime, 4 transactional,
                                     5 control, 6 delete horizon
         23 last offset delta         int32
         27 base timestamp            int64    the delete horizon instead, with its bit (KIP-534)
         35 max timestamp             int64
         43 producer id               int64
         51 producer epoch            int16
         53 base sequence             int32
         57 record count              int32
         61 records

Base offset and leader epoch stand outside the CRC, so that a leader stamps them without touching the rest.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from crc32c import crc32c

from kstream.records.compression import Buffer, Codec
from kstream.records.errors import CorruptBatch, DecompressedTooLarge, UnsupportedMagic

__all__ = [
    "HEADER_SIZE",
    "BatchHeader",
    "CorruptBatch",
    "DecompressedTooLarge",
    "TimestampType",
    "UnsupportedMagic",
    "check_crc",
    "crc_of",
    "iter_headers",
    "read_header",
    "set_timestamps",
    "stamp",
    "stamped_front",
]

HEADER_SIZE = 61
LOG_OVERHEAD = 12
"""Bytes in front of what `length` counts."""
MAGIC = 2

CRC_POSITION = 17
ATTRIBUTES_POSITION = 21
MAX_TIMESTAMP_POSITION = 35

CODEC_MASK = 0x07
LOG_APPEND_TIME_FLAG = 0x08
TRANSACTIONAL_FLAG = 0x10
CONTROL_FLAG = 0x20
DELETE_HORIZON_FLAG = 0x40
KNOWN_FLAGS = 0x7F
"""Who rewrites attributes clears the bits that have no meaning yet, as Kafka does; untouched ones stay."""

NO_PRODUCER_ID = -1
NO_PRODUCER_EPOCH = -1
NO_SEQUENCE = -1
NO_TIMESTAMP = -1
NO_LEADER_EPOCH = -1

HEADER = struct.Struct(">qiibIhiqqqhii")
FRONT = struct.Struct(">qii")
"""The bytes before the magic: base offset, length, partition leader epoch."""
_INT32 = struct.Struct(">i")
_UINT32 = struct.Struct(">I")
_INT16 = struct.Struct(">h")
_INT64 = struct.Struct(">q")


class TimestampType(IntEnum):
    """Bit 3 of the attributes, and `message.timestamp.type`."""

    CREATE_TIME = 0
    LOG_APPEND_TIME = 1


class BatchHeader(NamedTuple):
    """A batch's header as it stands in the bytes; nothing is believed because it is here."""

    base_offset: int
    length: int
    partition_leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp_ms: int
    max_timestamp_ms: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def size_bytes(self) -> int:
        """The whole batch, header included."""
        return self.length + LOG_OVERHEAD

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_offset_delta + 1

    @property
    def last_sequence(self) -> int:
        """Sequences wrap from 2**31 - 1 to 0."""
        if self.base_sequence == NO_SEQUENCE:
            return NO_SEQUENCE
        return (self.base_sequence + self.last_offset_delta) & 0x7FFF_FFFF

    @property
    def codec(self) -> Codec:
        """Raises `CorruptBatch` for the three ids that no codec has."""
        try:
            return _CODECS[self.attributes & CODEC_MASK]
        except IndexError:
            raise CorruptBatch(f"unknown compression codec {self.attributes & CODEC_MASK}") from None

    @property
    def is_compressed(self) -> bool:
        return self.attributes & CODEC_MASK != 0

    @property
    def is_log_append_time(self) -> bool:
        return self.attributes & LOG_APPEND_TIME_FLAG != 0

    @property
    def is_transactional(self) -> bool:
        return self.attributes & TRANSACTIONAL_FLAG != 0

    @property
    def is_control(self) -> bool:
        return self.attributes & CONTROL_FLAG != 0

    @property
    def has_delete_horizon(self) -> bool:
        return self.attributes & DELETE_HORIZON_FLAG != 0

    @property
    def delete_horizon_ms(self) -> int | None:
        return self.base_timestamp_ms if self.attributes & DELETE_HORIZON_FLAG else None

    @property
    def has_producer_id(self) -> bool:
        return self.producer_id > NO_PRODUCER_ID


_CODECS = tuple(Codec)
_unpack_header = HEADER.unpack_from
_new_tuple = tuple.__new__


def read_header(buffer: Buffer, position: int = 0) -> BatchHeader:
    """The header at `position`. The records need not be there; neither CRC nor length against the buffer
    is checked.

    Raises `CorruptBatch` if 61 bytes are not there or the length cannot hold a header, `UnsupportedMagic` for
    another magic than 2.
    """
    try:
        header = _new_tuple(BatchHeader, _unpack_header(buffer, position))
    except struct.error:
        raise CorruptBatch(f"{len(buffer) - position} bytes cannot hold a record batch") from None
    if header[3] != MAGIC:
        raise UnsupportedMagic(header[3])
    if header[1] < HEADER_SIZE - LOG_OVERHEAD:
        raise CorruptBatch(f"record batch has length {header[1]}, less than its own header")
    return header


def iter_headers(buffer: Buffer, position: int = 0, *, partial_ok: bool = False) -> Iterator[BatchHeader]:
    """The headers of batches that stand back to back; each begins `size_bytes` after the one before it.

    A last batch that is cut short raises `CorruptBatch`, or just ends the iteration when `partial_ok`:
    the answer to a fetch may end so.
    """
    end = len(buffer)
    while position < end:
        if partial_ok and end - position < HEADER_SIZE:
            return
        header = read_header(buffer, position)
        position += header[1] + LOG_OVERHEAD
        if position > end:
            if partial_ok:
                return
            raise CorruptBatch(f"record batch is {position - end} bytes short")
        yield header


def crc_of(buffer: Buffer, position: int, size_bytes: int) -> int:
    """CRC-32C of a batch of `size_bytes` at `position`, computed anew."""
    return crc32c(memoryview(buffer)[position + ATTRIBUTES_POSITION : position + size_bytes])


def check_crc(buffer: Buffer, position: int, size_bytes: int) -> None:
    """Raises `CorruptBatch` unless the batch at `position` has the CRC that it says."""
    stored = _UINT32.unpack_from(buffer, position + CRC_POSITION)[0]
    computed = crc32c(memoryview(buffer)[position + ATTRIBUTES_POSITION : position + size_bytes])
    if computed != stored:
        raise CorruptBatch(f"record batch is corrupt: stored crc = {stored}, computed crc = {computed}")


def stamp(buffer: bytearray | memoryview, base_offset: int, leader_epoch: int, position: int = 0) -> None:
    """Writes what only a leader knows into the batch at `position`. The CRC stays valid."""
    _INT64.pack_into(buffer, position, base_offset)
    _INT32.pack_into(buffer, position + LOG_OVERHEAD, leader_epoch)


def stamped_front(header: BatchHeader, base_offset: int, leader_epoch: int) -> bytes:
    """The first 16 bytes of the batch as `stamp` would leave them, for buffers that cannot be written to."""
    return FRONT.pack(base_offset, header[1], leader_epoch)


def set_timestamps(
    buffer: bytearray | memoryview,
    header: BatchHeader,
    timestamp_type: TimestampType,
    max_timestamp_ms: int,
    position: int = 0,
) -> BatchHeader:
    """Rewrites timestamp type and max timestamp of the batch at `position`, and its CRC if either changed.

    With LOG_APPEND_TIME the max timestamp is the time of every record in the batch. Returns the header as it
    is now. Raises TypeError for a buffer that cannot be written to, if there is something to write.
    """
    attributes = header[5] & ~LOG_APPEND_TIME_FLAG
    if timestamp_type:
        attributes |= LOG_APPEND_TIME_FLAG
    if attributes == header[5] and max_timestamp_ms == header[8]:
        return header
    attributes &= KNOWN_FLAGS
    _INT16.pack_into(buffer, position + ATTRIBUTES_POSITION, attributes)
    _INT64.pack_into(buffer, position + MAX_TIMESTAMP_POSITION, max_timestamp_ms)
    crc = crc_of(buffer, position, header[1] + LOG_OVERHEAD)
    _UINT32.pack_into(buffer, position + CRC_POSITION, crc)
    return header._replace(attributes=attributes, max_timestamp_ms=max_timestamp_ms, crc=crc)
