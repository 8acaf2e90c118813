"""What a produced batch must be, as Apache Kafka 4.4.0 answers when it is not.

Three steps, in Kafka's order, so that a batch with two faults gets the same error:

1. The request: one whole batch of magic 2 per partition. None or two: INVALID_RECORD (87). Magic 0 or 1,
   which Kafka 4.0 dropped (KIP-724): 87. Another magic, or a length below 14: CORRUPT_MESSAGE (2). zstd
   before version 7 of the request (KIP-110): UNSUPPORTED_COMPRESSION_TYPE (76). What is less than a batch
   behind the first is cut off.
2. The header: base offset other than 0: 87. More than `max.message.bytes`: MESSAGE_TOO_LARGE (10). CRC: 2.
   A record count that is not positive or not what the last offset says, a control batch, a producer id
   without a sequence: 87.
3. The records: not parsing, bytes left over, one of a compressed batch larger than
   `max.decompressed.message.bytes`: 87. No key on a compacted topic (87) and timestamps out of range (32) are
   listed record by record (KIP-467); with both kinds the code is 32.

RECORD_LIST_TOO_LARGE (18) comes after all of these, from the log: a batch larger than `segment.bytes`.

`check_batch` is steps 1 and 2 and costs about a microsecond; `check_records` is step 3 and decompresses.

Where kstream differs, and why: Kafka 4.4.0 stores uncompressed records whose offset deltas are not 0, 1,
2, ... and compressed ones whose own length is wrong, and no consumer reads either; it answers
UNKNOWN_SERVER_ERROR (-1) where an exception of its own escapes: offset deltas in compressed batches,
streams that do not decompress, unknown codecs. Here the first three are 87 and an unknown codec is 76. A
varint of more than 32 bits, or a timestamp of more than 64, is 87 instead of cut to size. A batch that
decompresses beyond a limit of our own is MESSAGE_TOO_LARGE: producers split such a batch. The list of
record errors is cut at `RECORD_ERRORS_MAX`.
"""

from __future__ import annotations

import struct

from crc32c import crc32c

from kstream.errors import ErrorCode
from kstream.records.batch import (
    ATTRIBUTES_POSITION,
    CODEC_MASK,
    CONTROL_FLAG,
    HEADER,
    HEADER_SIZE,
    LOG_OVERHEAD,
    MAGIC,
    BatchHeader,
)
from kstream.records.compression import Buffer, Codec
from kstream.records.errors import CorruptBatch, InvalidBatch
from kstream.records.record_validation import (
    RECORD_ERRORS_MAX,
    RecordRules,
    check_records,
    must_check_records,
)

__all__ = [
    "RECORD_ERRORS_MAX",
    "InvalidBatch",
    "RecordRules",
    "check_batch",
    "check_records",
    "must_check_records",
    "request_fault",
]

_INT32 = struct.Struct(">i")
_LENGTH_MIN_V0 = 14
_MAGIC_POSITION = 16
_BASE_OFFSET_SIZE = 8
_ZSTD_REQUEST_VERSION = 7
_new_tuple = tuple.__new__
_unpack_header = HEADER.unpack_from


def check_batch(buffer: Buffer, *, api_version: int, size_bytes_max: int) -> BatchHeader:
    """Steps 1 and 2 for the records of one partition. HOT.

    Returns the header of the one batch, which begins at 0; what may stand behind its `size_bytes` is to
    be cut off. `api_version` is the produce request's, `size_bytes_max` is `max.message.bytes`. Raises
    `InvalidBatch`.
    """
    try:
        header = _new_tuple(BatchHeader, _unpack_header(buffer, 0))
    except struct.error:
        raise request_fault(buffer, api_version) or _invalid("no record batch") from None
    (base_offset, length, _, magic, crc, attributes, last_delta, _, _, producer_id, _, sequence, count) = (
        header
    )
    size_bytes = length + LOG_OVERHEAD
    if (
        magic != MAGIC
        or size_bytes != len(buffer)
        or (attributes & CODEC_MASK == Codec.ZSTD and api_version < _ZSTD_REQUEST_VERSION)
    ):
        fault = request_fault(buffer, api_version)
        if fault is not None:
            raise fault
    if base_offset:
        raise _invalid(f"base offset is {base_offset}, a producer's is 0")
    if size_bytes > size_bytes_max:
        raise InvalidBatch(
            ErrorCode.MESSAGE_TOO_LARGE, f"batch of {size_bytes} bytes, max.message.bytes is {size_bytes_max}"
        )
    if size_bytes < HEADER_SIZE:
        raise InvalidBatch(ErrorCode.CORRUPT_MESSAGE, f"batch of {size_bytes} bytes is less than its header")
    if crc32c(memoryview(buffer)[ATTRIBUTES_POSITION:size_bytes]) != crc:
        raise InvalidBatch(ErrorCode.CORRUPT_MESSAGE, f"CRC-32C does not match, stored is {crc}")
    if count <= 0 or last_delta != count - 1:
        raise _invalid(f"{count} records with last offset delta {last_delta}")
    if attributes & CONTROL_FLAG:
        raise _invalid("clients do not write control batches")
    if producer_id >= 0 and sequence < 0:
        raise _invalid(f"producer id {producer_id} with sequence {sequence}")
    return header


def _invalid(detail: str) -> InvalidBatch:
    return InvalidBatch(ErrorCode.INVALID_RECORD, detail, has_log_start_offset=True)


def request_fault(buffer: Buffer, api_version: int) -> InvalidBatch | None:
    """Step 1 in full; None if there is one whole batch and behind it at most a piece of another."""
    try:
        size_bytes = _whole_batch_size(buffer, 0)
    except CorruptBatch as error:
        # With this one fault Kafka's answer has a message.
        return InvalidBatch(ErrorCode.CORRUPT_MESSAGE, str(error), message=str(error))
    try:
        if size_bytes is None:
            return InvalidBatch(ErrorCode.INVALID_RECORD, "no record batch")
        if buffer[_MAGIC_POSITION] != MAGIC:
            return InvalidBatch(ErrorCode.INVALID_RECORD, f"magic is {buffer[_MAGIC_POSITION]} instead of 2")
        if size_bytes >= HEADER_SIZE and api_version < _ZSTD_REQUEST_VERSION:
            codec = buffer[ATTRIBUTES_POSITION + 1] & CODEC_MASK
            if codec == Codec.ZSTD:
                return InvalidBatch(
                    ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, f"zstd in version {api_version} of the request"
                )
        if _whole_batch_size(buffer, size_bytes) is not None:
            return InvalidBatch(ErrorCode.INVALID_RECORD, "more than one record batch")
    except CorruptBatch as error:
        return InvalidBatch(ErrorCode.CORRUPT_MESSAGE, str(error))
    if size_bytes < HEADER_SIZE:
        if any(buffer[:_BASE_OFFSET_SIZE]):
            return _invalid("base offset is not 0, as a producer's is")
        return InvalidBatch(ErrorCode.CORRUPT_MESSAGE, f"batch of {size_bytes} bytes is less than its header")
    return None


def _whole_batch_size(buffer: Buffer, position: int) -> int | None:
    """Bytes of the batch of any format at `position`; None if it is not all there."""
    remaining = len(buffer) - position
    if remaining < LOG_OVERHEAD:
        return None
    length = _INT32.unpack_from(buffer, position + 8)[0]
    if length < _LENGTH_MIN_V0:
        raise CorruptBatch(f"batch length {length}")
    if remaining <= _MAGIC_POSITION:
        return None
    if buffer[position + _MAGIC_POSITION] > MAGIC:
        raise CorruptBatch(f"magic byte {buffer[position + _MAGIC_POSITION]}")
    size_bytes: int = length + LOG_OVERHEAD
    return size_bytes if size_bytes <= remaining else None
