"""The records inside a batch: read as values.

A record is a varint length, then: attributes int8 (no bit is in use), timestamp delta varlong, offset
delta varint, key and value each a varint length (-1 is null) and bytes, a varint count of headers, and
for each a key that cannot be null and a value that can. Varints are zigzag. Deltas are against the
batch's base timestamp and base offset; in a batch with LogAppendTime every record has the batch's max
timestamp.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kstream.records.batch import HEADER_SIZE, BatchHeader, read_header
from kstream.records.compression import SIZE_BYTES_MAX, Buffer, decompress
from kstream.records.errors import CorruptBatch
from kstream.wire.primitives import BadEncoding, read_uvarint_rest, read_varint, read_varlong

RecordHeader = tuple[str, bytes | None]


class Record(NamedTuple):
    """One record with its place in the log."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[RecordHeader, ...] = ()


def records_payload(
    buffer: Buffer, header: BatchHeader, position: int = 0, size_bytes_max: int = SIZE_BYTES_MAX
) -> bytes:
    """The bytes of all records of the batch at `position`, decompressed.

    Raises `CorruptBatch` if the batch is not whole, `DecompressedTooLarge` past the limit.
    """
    end = position + header.size_bytes
    if end > len(buffer):
        raise CorruptBatch(f"record batch is {end - len(buffer)} bytes short")
    return decompress(header.attributes & 7, memoryview(buffer)[position + HEADER_SIZE : end], size_bytes_max)


def iter_records(
    buffer: Buffer,
    position: int = 0,
    *,
    header: BatchHeader | None = None,
    size_bytes_max: int = SIZE_BYTES_MAX,
) -> Iterator[Record]:
    """The records of the batch at `position`, one after the other. The CRC is the caller's to check.

    Raises `CorruptBatch` where a record does not parse, or where their number or size differs from what
    the header and the record's own length say.
    """
    if header is None:
        header = read_header(buffer, position)
    return iter_payload(records_payload(buffer, header, position, size_bytes_max), header)


def iter_payload(payload: bytes, header: BatchHeader) -> Iterator[Record]:
    """The same from the records' bytes as `records_payload` returns them."""
    if header.record_count < 0:
        raise CorruptBatch(f"record batch has {header.record_count} records")
    append_time_ms = header.max_timestamp_ms if header.is_log_append_time else None
    base_offset = header.base_offset
    base_timestamp_ms = header.base_timestamp_ms
    at = 0
    try:
        for _ in range(header.record_count):
            size, at = read_varint(payload, at)
            end = at + size
            if not at < end <= len(payload):
                raise CorruptBatch(f"record of {size} bytes where {len(payload) - at} remain")
            timestamp_delta, at = read_varlong(payload, at + 1)
            offset_delta, at = read_varint(payload, at)
            key, at = _nullable_bytes(payload, at, end)
            value, at = _nullable_bytes(payload, at, end)
            headers: tuple[RecordHeader, ...] = ()
            if payload[at]:
                header_count, at = read_varint(payload, at)
                headers, at = _headers(payload, at, end, header_count)
            else:
                at += 1
            if at != end:
                raise CorruptBatch(f"record of {size} bytes is read as {size + at - end}")
            timestamp_ms = base_timestamp_ms + timestamp_delta if append_time_ms is None else append_time_ms
            yield Record(base_offset + offset_delta, timestamp_ms, key, value, headers)
    except IndexError:
        raise CorruptBatch("record is cut short") from None
    except BadEncoding as error:
        raise CorruptBatch(f"record has {error}") from None
    if at != len(payload):
        raise CorruptBatch(f"{len(payload) - at} bytes are left after the last record")


def _headers(payload: bytes, at: int, end: int, count: int) -> tuple[tuple[RecordHeader, ...], int]:
    # A header takes two bytes at least: no count makes this loop longer than its input.
    if not 0 <= count <= (end - at) // 2:
        raise CorruptBatch(f"record has {count} headers in {end - at} bytes")
    headers: list[RecordHeader] = []
    for _ in range(count):
        key, at = _nullable_bytes(payload, at, end)
        if key is None:
            raise CorruptBatch("record header has no key")
        value, at = _nullable_bytes(payload, at, end)
        # As Java decodes: a broker does not refuse keys that are not UTF-8, so a reader has to live with
        # them.
        headers.append((key.decode("utf-8", "replace"), value))
    return tuple(headers), at


def _nullable_bytes(payload: bytes, at: int, end: int) -> tuple[bytes | None, int]:
    size = payload[at]
    at += 1
    if size > 127:
        size, at = read_uvarint_rest(payload, at, size)
    if size & 1:
        return None, at
    size >>= 1
    stop = at + size
    if stop > end:
        raise CorruptBatch(f"field of {size} bytes where {end - at} remain")
    return payload[at:stop], stop
