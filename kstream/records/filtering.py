"""Batches with some of their records: what compaction leaves of them.

Records are taken over as the bytes they are. Only where a batch gets another base timestamp are their
timestamp deltas written anew; nothing else of a record depends on its batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from crc32c import crc32c

from kstream.records.batch import (
    ATTRIBUTES_POSITION,
    CODEC_MASK,
    CONTROL_FLAG,
    CRC_POSITION,
    DELETE_HORIZON_FLAG,
    HEADER,
    HEADER_SIZE,
    LOG_APPEND_TIME_FLAG,
    LOG_OVERHEAD,
    NO_TIMESTAMP,
    TRANSACTIONAL_FLAG,
    BatchHeader,
)
from kstream.records.compression import Codec, compress
from kstream.records.errors import CorruptBatch
from kstream.wire.primitives import BadEncoding, read_varint, read_varlong, varint, varlong

Span: TypeAlias = tuple[int, bytes | None, bool, int, int, int, int]
"""One record in its batch's payload: offset delta, key, whether it has a value, timestamp delta; and where it
begins, where what follows the timestamp delta begins, and where it ends.
"""

_KEPT_FLAGS = LOG_APPEND_TIME_FLAG | TRANSACTIONAL_FLAG | CONTROL_FLAG


def iter_spans(payload: bytes, count: int) -> Iterator[Span]:
    """The `count` records of a batch's payload. HOT: varints of one byte, as most are, are read in place.

    Raises `CorruptBatch` where they do not parse, or do not fill the payload.
    """
    if count < 0:
        raise CorruptBatch(f"record batch has {count} records")
    size = len(payload)
    at = 0
    try:
        for _ in range(count):
            start = at
            byte = payload[at]
            second = payload[at + 1]
            if byte < 128:
                length, at = byte >> 1 ^ -(byte & 1), at + 1
            elif second < 128:
                length, at = (byte & 127 | second << 7) >> 1 ^ -(byte & 1), at + 2
            else:
                length, at = read_varint(payload, at)
            end = at + length
            if not at < end <= size:
                raise CorruptBatch(f"record of {length} bytes where {size - at} remain")
            timestamp_delta, rest = read_varlong(payload, at + 1)
            byte = payload[rest]
            if byte < 128:
                offset_delta, at = byte >> 1 ^ -(byte & 1), rest + 1
            else:
                offset_delta, at = read_varint(payload, rest)
            key: bytes | None = None
            byte = payload[at]
            if byte < 128:
                length, at = byte >> 1 ^ -(byte & 1), at + 1
            else:
                length, at = read_varint(payload, at)
            if length >= 0:
                key = payload[at : at + length]
                at += length
            byte = payload[at]
            if byte < 128:
                length, at = byte >> 1 ^ -(byte & 1), at + 1
            else:
                length, at = read_varint(payload, at)
            has_value = length >= 0
            if (at + length if has_value else at) >= end:  # the count of headers follows
                raise CorruptBatch(f"record of {end - start} bytes has longer fields")
            yield offset_delta, key, has_value, timestamp_delta, start, rest, end
            at = end
    except IndexError:
        raise CorruptBatch("record is cut short") from None
    except BadEncoding as error:
        raise CorruptBatch(f"record has {error}") from None
    if at != size:
        raise CorruptBatch(f"{size - at} bytes are left after the last record")


def with_records(
    header: BatchHeader, payload: bytes, spans: Sequence[Span], delete_horizon_ms: int | None
) -> bytes:
    """The batch with these of its records, at least one, compressed by the codec it had.

    Offsets stay, and so does the batch's last one: producers' sequences are counted by it. A delete horizon
    stands where the base timestamp was (KIP-534).
    """
    old_base_ms = header.base_timestamp_ms
    append_time_ms = header.max_timestamp_ms if header.is_log_append_time else None
    if append_time_ms is not None:
        times = [append_time_ms] * len(spans)
    else:
        times = [old_base_ms + span[3] for span in spans]
    base_ms = times[0] if delete_horizon_ms is None else delete_horizon_ms
    if base_ms == old_base_ms and append_time_ms is None:
        body = b"".join([payload[span[4] : span[6]] for span in spans])
    else:
        body = _with_base_timestamp(payload, spans, times, base_ms)
    flags = header.attributes & _KEPT_FLAGS
    if delete_horizon_ms is not None:
        flags |= DELETE_HORIZON_FLAG
    codec = header.codec
    return _pack(
        header._replace(
            attributes=flags | codec,
            base_timestamp_ms=base_ms,
            max_timestamp_ms=max(times),
            record_count=len(spans),
        ),
        body if codec is Codec.NONE else compress(codec, body),
    )


def _with_base_timestamp(payload: bytes, spans: Sequence[Span], times: Sequence[int], base_ms: int) -> bytes:
    body = bytearray()
    for (*_, rest, end), timestamp_ms in zip(spans, times, strict=True):
        delta = varlong(timestamp_ms - base_ms)
        body += varint(1 + len(delta) + end - rest)
        body.append(0)  # a record's attributes: no bit is in use
        body += delta
        body += payload[rest:end]
    return bytes(body)


def without_records(header: BatchHeader) -> bytes:
    """The batch's header alone: its offsets, its producer's epoch and last sequence."""
    return _pack(
        header._replace(
            attributes=header.attributes & _KEPT_FLAGS & ~CODEC_MASK,
            base_timestamp_ms=NO_TIMESTAMP,
            record_count=0,
        ),
        b"",
    )


def _pack(header: BatchHeader, stream: bytes) -> bytes:
    length = HEADER_SIZE - LOG_OVERHEAD + len(stream)
    batch = bytearray(HEADER.pack(*header._replace(length=length, crc=0)))
    batch += stream
    crc = crc32c(memoryview(batch)[ATTRIBUTES_POSITION:])
    batch[CRC_POSITION:ATTRIBUTES_POSITION] = crc.to_bytes(4, "big")
    return bytes(batch)
