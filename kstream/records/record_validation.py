"""The records of a produced batch, one by one: step 3 of `validation`, which says what Kafka answers and
why.
"""

from __future__ import annotations

from dataclasses import dataclass

from kstream.errors import ErrorCode
from kstream.records.batch import (
    CODEC_MASK,
    HEADER_SIZE,
    LOG_APPEND_TIME_FLAG,
    LOG_OVERHEAD,
    NO_TIMESTAMP,
    BatchHeader,
    TimestampType,
)
from kstream.records.compression import SIZE_BYTES_MAX, Buffer, Codec, decompress
from kstream.records.errors import CorruptBatch, DecompressedTooLarge, InvalidBatch
from kstream.records.record import iter_payload
from kstream.wire.primitives import BadEncoding, read_uvarint_rest, read_varint, read_varlong

RECORD_ERRORS_MAX = 1000
"""A decompressed batch can hold millions of records; an answer naming each would outgrow the request."""

RECORD_SIZE_BYTES_MAX = (1 << 31) - 9
"""Kafka's default of `max.decompressed.message.bytes`: the largest array that Java has."""

_INT64_MAX = (1 << 63) - 1
_ANY_TIME = 1 << 65


@dataclass(slots=True)
class RecordRules:
    """What a topic asks of each record: `cleanup.policy` and `message.timestamp.*`.

    `record_size_bytes_max` is `max.decompressed.message.bytes`, which Kafka applies to single records of
    compressed batches. `decompressed_size_bytes_max` is a bound of our own on all of them together.
    """

    is_compacted: bool = False
    timestamp_type: TimestampType = TimestampType.CREATE_TIME
    timestamp_before_max_ms: int = _INT64_MAX
    timestamp_after_max_ms: int = 3_600_000
    record_size_bytes_max: int = RECORD_SIZE_BYTES_MAX
    decompressed_size_bytes_max: int = SIZE_BYTES_MAX


def must_check_records(header: BatchHeader, rules: RecordRules, now_ms: int) -> bool:
    """Whether header and CRC are not enough for this topic, whatever `kstream.validate.records` says.

    So it is where keys are required, where the header's own times are out of range, where the producer claims
    LogAppendTime, and where `max.decompressed.message.bytes` is set.
    """
    if rules.is_compacted or header[5] & LOG_APPEND_TIME_FLAG:
        return True
    if header[5] & CODEC_MASK and rules.record_size_bytes_max < RECORD_SIZE_BYTES_MAX:
        return True
    if rules.timestamp_type:
        return False
    low, high = now_ms - rules.timestamp_before_max_ms, now_ms + rules.timestamp_after_max_ms
    return not (low <= header[7] <= high and low <= header[8] <= high)


def check_records(buffer: Buffer, header: BatchHeader, rules: RecordRules, now_ms: int) -> int:
    """Step 3 for the batch at the front of `buffer`. HOT.

    Returns the max timestamp with which the batch is to be stored: the largest of its records, whatever the
    header says, or `now_ms` with LogAppendTime. `set_timestamps` writes it. Raises `InvalidBatch`.
    """
    size_bytes = header[1] + LOG_OVERHEAD
    payload = buffer[HEADER_SIZE:size_bytes]
    try:
        if header[5] & CODEC_MASK:
            payload = _decompress(header, payload, rules.decompressed_size_bytes_max)
        else:
            payload = bytes(payload)
        max_timestamp_ms, has_faults = _walk(payload, header, rules, now_ms)
    except IndexError:
        raise _not_parsing("the last record is cut short") from None
    except (CorruptBatch, BadEncoding) as error:
        raise _not_parsing(str(error)) from None
    if has_faults:
        raise _record_faults(payload, header, rules, now_ms)
    return now_ms if rules.timestamp_type else max_timestamp_ms


def _not_parsing(detail: str) -> InvalidBatch:
    return InvalidBatch(ErrorCode.INVALID_RECORD, detail, has_log_start_offset=True)


def _decompress(header: BatchHeader, payload: Buffer, size_bytes_max: int) -> bytes:
    codec = header[5] & CODEC_MASK
    if codec > Codec.ZSTD:
        raise InvalidBatch(
            ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, f"unknown codec {codec}", has_log_start_offset=True
        )
    try:
        return decompress(codec, payload, size_bytes_max)
    except DecompressedTooLarge as error:
        raise InvalidBatch(ErrorCode.MESSAGE_TOO_LARGE, str(error)) from None


def _walk(payload: bytes, header: BatchHeader, rules: RecordRules, now_ms: int) -> tuple[int, bool]:
    """The largest timestamp, and whether a record breaks a rule; which one, and how, is not this loop's
    to say.

    Varints are read in place where they take one byte or two, as all but a few do.
    """
    is_compacted = rules.is_compacted
    size_max = rules.record_size_bytes_max if header[5] & CODEC_MASK else RECORD_SIZE_BYTES_MAX
    low = now_ms - rules.timestamp_before_max_ms
    high = now_ms + rules.timestamp_after_max_ms
    base_timestamp_ms = header[7]
    has_append_time = header[5] & LOG_APPEND_TIME_FLAG != 0
    if rules.timestamp_type:
        low, high = -_ANY_TIME, _ANY_TIME
    has_faults = has_append_time and (rules.timestamp_type != 0 or header[8] == NO_TIMESTAMP)
    max_timestamp_ms = NO_TIMESTAMP
    at = 0
    for index in range(header[12]):
        size = payload[at]
        at += 1
        if size > 127:
            more = payload[at]
            if more > 127:
                size, at = read_uvarint_rest(payload, at, size)
            else:
                at += 1
                size += (more << 7) - 128
        if size & 1 or size >> 1 > size_max:
            raise CorruptBatch(f"record {index} has size {(size >> 1) ^ -(size & 1)}")
        end = at + (size >> 1)
        at += 1
        delta = payload[at]
        if delta < 128:
            at += 1
            timestamp_ms = base_timestamp_ms + ((delta >> 1) ^ -(delta & 1))
        else:
            delta, at = read_varlong(payload, at)
            timestamp_ms = base_timestamp_ms + delta
        if has_append_time:
            timestamp_ms = header[8]
        if timestamp_ms > max_timestamp_ms:
            max_timestamp_ms = timestamp_ms
        if not low <= timestamp_ms <= high and timestamp_ms != NO_TIMESTAMP:
            has_faults = True
        delta = payload[at]
        at += 1
        if delta > 127:
            more = payload[at]
            if more > 127:
                delta, at = read_uvarint_rest(payload, at, delta)
            else:
                at += 1
                delta += (more << 7) - 128
        if delta != index << 1:
            raise CorruptBatch(f"record {index} has offset delta {(delta >> 1) ^ -(delta & 1)}")
        size = payload[at]
        at += 1
        if size > 127:
            more = payload[at]
            if more > 127:
                size, at = read_uvarint_rest(payload, at, size)
            else:
                at += 1
                size += (more << 7) - 128
        if not size & 1:
            at += size >> 1
        elif is_compacted:
            has_faults = True
        size = payload[at]
        at += 1
        if size > 127:
            more = payload[at]
            if more > 127:
                size, at = read_uvarint_rest(payload, at, size)
            else:
                at += 1
                size += (more << 7) - 128
        if not size & 1:
            at += size >> 1
        if payload[at]:
            at = _skip_headers(payload, at, end)
        else:
            at += 1
        if at != end:
            raise CorruptBatch(f"record {index} is read to {at} and ends at {end}")
    if at != len(payload):
        raise CorruptBatch(f"{len(payload) - at} bytes are left after the last record")
    if max_timestamp_ms > _INT64_MAX:
        raise CorruptBatch(f"timestamp {max_timestamp_ms} takes more than 64 bits")
    return max_timestamp_ms, has_faults


def _skip_headers(payload: bytes, at: int, end: int) -> int:
    count, at = read_varint(payload, at)
    if not 0 <= count <= (end - at) // 2:
        raise CorruptBatch(f"record has {count} headers in {end - at} bytes")
    for _ in range(count):
        size, at = read_varint(payload, at)
        if size < 0:
            raise CorruptBatch("record header has no key")
        at += size
        size, at = read_varint(payload, at)
        if size > 0:
            at += size
    return at


def _record_faults(payload: bytes, header: BatchHeader, rules: RecordRules, now_ms: int) -> InvalidBatch:
    """Says which records break which rule; the batch is known to break at least one."""
    low = now_ms - rules.timestamp_before_max_ms
    high = now_ms + rules.timestamp_after_max_ms
    errors: list[tuple[int, str]] = []
    code = ErrorCode.INVALID_RECORD
    for index, record in enumerate(iter_payload(payload, header)):
        timestamp_ms = record.timestamp_ms
        if rules.is_compacted and record.key is None:
            text = "a compacted topic takes no record without a key"
        elif not rules.timestamp_type and timestamp_ms != NO_TIMESTAMP:
            if low <= timestamp_ms <= high:
                continue
            code = ErrorCode.INVALID_TIMESTAMP
            text = (
                f"timestamp {timestamp_ms} of the record at offset {record.offset} is not in [{low}, {high}]"
            )
        elif header.is_log_append_time:
            code = ErrorCode.INVALID_TIMESTAMP
            text = "a producer does not set the timestamp type LogAppendTime"
        else:
            continue
        if len(errors) < RECORD_ERRORS_MAX:
            errors.append((index, text))
    if code is ErrorCode.INVALID_TIMESTAMP:
        message = "records were rejected for invalid timestamps"
    else:
        first = "; ".join(f"record {index}: {text}" for index, text in errors[:3])
        message = f"records were rejected, {len(errors)} in all, the first: {first}"
    return InvalidBatch(
        code, message, message=message, record_errors=tuple(errors), has_log_start_offset=True
    )
