"""Record batches from values: for control and metadata records, coordinators, compaction, tools and tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crc32c import crc32c

from kstream.records.batch import (
    ATTRIBUTES_POSITION,
    CONTROL_FLAG,
    CRC_POSITION,
    DELETE_HORIZON_FLAG,
    HEADER,
    HEADER_SIZE,
    LOG_APPEND_TIME_FLAG,
    LOG_OVERHEAD,
    MAGIC,
    NO_LEADER_EPOCH,
    NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID,
    NO_SEQUENCE,
    NO_TIMESTAMP,
    TRANSACTIONAL_FLAG,
    TimestampType,
)
from kstream.records.compression import Codec, compress
from kstream.records.record import Record, RecordHeader
from kstream.wire.primitives import varint, varlong

RecordTuple = (
    tuple[int, bytes | None, bytes | None] | tuple[int, bytes | None, bytes | None, Sequence[RecordHeader]]
)
"""(timestamp_ms, key, value) or (timestamp_ms, key, value, headers): a record that has no offset yet."""

_OFFSET_DELTA_MAX = 0x7FFF_FFFF
_NO_ATTRIBUTES = b"\0"
_NULL = varint(-1)
_NO_HEADERS = varint(0)


def build_batch(
    records: Iterable[Record | RecordTuple],
    *,
    base_offset: int = 0,
    codec: Codec = Codec.NONE,
    level: int | None = None,
    producer_id: int = NO_PRODUCER_ID,
    producer_epoch: int = NO_PRODUCER_EPOCH,
    base_sequence: int = NO_SEQUENCE,
    is_transactional: bool = False,
    is_control: bool = False,
    timestamp_type: TimestampType = TimestampType.CREATE_TIME,
    partition_leader_epoch: int = NO_LEADER_EPOCH,
    delete_horizon_ms: int | None = None,
    last_offset_delta: int | None = None,
) -> bytes:
    """One batch.

    A plain tuple gets the offset after the one before it, a `Record` keeps its own, so that compaction
    leaves holes. `last_offset_delta` keeps a batch's end where the records that stood there are gone,
    and is needed for a batch without records. `level` is the codec's own scale. Raises ValueError for
    offsets that do not ascend.
    """
    body = bytearray()
    base_timestamp_ms = NO_TIMESTAMP if delete_horizon_ms is None else delete_horizon_ms
    has_base_timestamp = delete_horizon_ms is not None
    max_timestamp_ms = NO_TIMESTAMP
    delta = -1
    count = 0
    for record in records:
        if isinstance(record, Record):
            offset, timestamp_ms, key, value, headers = record
            if not delta < offset - base_offset <= _OFFSET_DELTA_MAX:
                raise ValueError(
                    f"offset {offset} cannot follow {base_offset + delta} in a batch from {base_offset}"
                )
            delta = offset - base_offset
            encoded_headers: Sequence[RecordHeader] = headers
        else:
            timestamp_ms, key, value = record[:3]
            encoded_headers = record[3] if len(record) == 4 else ()
            delta += 1
        if not has_base_timestamp:
            base_timestamp_ms = timestamp_ms
            has_base_timestamp = True
        max_timestamp_ms = max(max_timestamp_ms, timestamp_ms)
        append_record(body, timestamp_ms - base_timestamp_ms, delta, key, value, encoded_headers)
        count += 1
    last_delta = delta if last_offset_delta is None else last_offset_delta
    if last_delta < max(delta, 0):
        raise ValueError(f"last offset delta {last_delta} is before the last record's {delta}")
    attributes = (
        codec
        | (LOG_APPEND_TIME_FLAG if timestamp_type == TimestampType.LOG_APPEND_TIME else 0)
        | (TRANSACTIONAL_FLAG if is_transactional else 0)
        | (CONTROL_FLAG if is_control else 0)
        | (DELETE_HORIZON_FLAG if delete_horizon_ms is not None else 0)
    )
    payload = body if codec is Codec.NONE else compress(codec, body, level)
    batch = bytearray(
        HEADER.pack(
            base_offset,
            HEADER_SIZE - LOG_OVERHEAD + len(payload),
            partition_leader_epoch,
            MAGIC,
            0,
            attributes,
            last_delta,
            base_timestamp_ms,
            max_timestamp_ms,
            producer_id,
            producer_epoch,
            base_sequence,
            count,
        )
    )
    batch += payload
    crc = crc32c(memoryview(batch)[ATTRIBUTES_POSITION:])
    batch[CRC_POSITION:ATTRIBUTES_POSITION] = crc.to_bytes(4, "big")
    return bytes(batch)


def append_record(
    body: bytearray,
    timestamp_delta_ms: int,
    offset_delta: int,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[RecordHeader] = (),
) -> None:
    """One record, with its length, at the end of `body`. HOT."""
    record = b"".join(
        (
            _NO_ATTRIBUTES,
            varlong(timestamp_delta_ms),
            varint(offset_delta),
            _NULL if key is None else varint(len(key)),
            key or b"",
            _NULL if value is None else varint(len(value)),
            value or b"",
            _encode_headers(headers) if headers else _NO_HEADERS,
        )
    )
    body += varint(len(record))
    body += record


def _encode_headers(headers: Sequence[RecordHeader]) -> bytes:
    pieces = [varint(len(headers))]
    for name, content in headers:
        raw = name.encode()
        pieces += (varint(len(raw)), raw)
        pieces += (_NULL,) if content is None else (varint(len(content)), content)
    return b"".join(pieces)
