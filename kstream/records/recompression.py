"""A batch stored with another codec than its producer chose: the topic configuration `compression.type`.

The records' bytes stay as they are; only their stream, the batch's length, attributes and CRC change.
"""

from __future__ import annotations

from crc32c import crc32c

from kstream.records.batch import (
    ATTRIBUTES_POSITION,
    CODEC_MASK,
    CRC_POSITION,
    HEADER,
    HEADER_SIZE,
    KNOWN_FLAGS,
    LOG_OVERHEAD,
    BatchHeader,
)
from kstream.records.compression import SIZE_BYTES_MAX, Buffer, Codec, compress
from kstream.records.record import records_payload

_TARGETS = {
    "uncompressed": Codec.NONE,
    "gzip": Codec.GZIP,
    "snappy": Codec.SNAPPY,
    "lz4": Codec.LZ4,
    "zstd": Codec.ZSTD,
}


def target_codec(compression_type: str) -> Codec | None:
    """The codec that a topic's `compression.type` asks for; None for `producer`, which takes batches as
    they come.

    Raises KeyError for a name that Kafka does not have.
    """
    return None if compression_type == "producer" else _TARGETS[compression_type]


def recompress(
    buffer: Buffer,
    header: BatchHeader,
    codec: Codec,
    level: int | None = None,
    *,
    size_bytes_max: int = SIZE_BYTES_MAX,
) -> bytearray:
    """The batch at the front of `buffer` with its records compressed by `codec`; writable, as stamping
    needs it.

    The batch may have grown: `max.message.bytes` is to be checked again, as Kafka does. Raises
    `CorruptBatch` if the records do not decompress, `DecompressedTooLarge` if they would take more than
    `size_bytes_max`.
    """
    stream = compress(codec, records_payload(buffer, header, 0, size_bytes_max), level)
    attributes = (header.attributes & KNOWN_FLAGS & ~CODEC_MASK) | codec
    length = HEADER_SIZE - LOG_OVERHEAD + len(stream)
    batch = bytearray(HEADER.pack(*header._replace(length=length, attributes=attributes, crc=0)))
    batch += stream
    crc = crc32c(memoryview(batch)[ATTRIBUTES_POSITION:])
    batch[CRC_POSITION:ATTRIBUTES_POSITION] = crc.to_bytes(4, "big")
    return batch
