"""Batches with some of their records: what compaction leaves of them.

Records are taken over as the bytes they are. Only where a batch gets another base timestamp are their
timestamp deltas written anew; nothing else of a record depends on its batch.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
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
from kstream.records.columns import Integers, RecordColumns
from kstream.records.compression import Codec, compress
from kstream.wire.primitives import varint, varlong

_KEPT_FLAGS = LOG_APPEND_TIME_FLAG | TRANSACTIONAL_FLAG | CONTROL_FLAG


def with_records(header: BatchHeader, records: RecordColumns, delete_horizon_ms: int | None) -> bytes:
    """The batch with these of its records, at least one, compressed by the codec it had.

    Offsets stay, and so does the batch's last one: producers' sequences are counted by it. A delete horizon
    stands where the base timestamp was (KIP-534).
    """
    old_base_ms = header.base_timestamp_ms
    if header.is_log_append_time:
        times = np.full_like(records.timestamp_deltas, header.max_timestamp_ms)
    else:
        times = records.timestamp_deltas + old_base_ms
    base_ms = int(times[0]) if delete_horizon_ms is None else delete_horizon_ms
    if base_ms == old_base_ms and not header.is_log_append_time:
        body = b"".join(_runs(records))
    else:
        body = _with_timestamp_deltas(records, times - base_ms)
    flags = header.attributes & _KEPT_FLAGS
    if delete_horizon_ms is not None:
        flags |= DELETE_HORIZON_FLAG
    codec = header.codec
    return _pack(
        header._replace(
            attributes=flags | codec,
            base_timestamp_ms=base_ms,
            max_timestamp_ms=int(times.max()),
            record_count=len(times),
        ),
        body if codec is Codec.NONE else compress(codec, body),
    )


def _runs(records: RecordColumns) -> list[bytes]:
    """The records' bytes, those that stand one behind the other as one."""
    starts, ends = records.starts, records.ends
    gaps = np.flatnonzero(starts[1:] != ends[:-1])
    first = starts[np.append(0, gaps + 1)].tolist()
    last = ends[np.append(gaps, len(ends) - 1)].tolist()
    return [records.stream[start:end] for start, end in zip(first, last, strict=True)]


def _with_timestamp_deltas(records: RecordColumns, deltas: Integers) -> bytes:
    stream = records.stream
    pieces: list[bytes] = []
    for delta, rest, end in zip(deltas.tolist(), records.rests.tolist(), records.ends.tolist(), strict=True):
        pieces += (_front(delta, end - rest), stream[rest:end])
    return b"".join(pieces)


@lru_cache(4096)  # sizes and times of a batch's records are often few
def _front(timestamp_delta_ms: int, rest_bytes: int) -> bytes:
    """A record up to its timestamp delta: length, attributes, of which no bit is in use, and the delta."""
    delta = varlong(timestamp_delta_ms)
    return varint(1 + len(delta) + rest_bytes) + b"\0" + delta


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
