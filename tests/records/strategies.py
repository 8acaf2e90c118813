"""What the tests of this package draw records and batches from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hypothesis import strategies as st

from kstream.records.batch import ATTRIBUTES_POSITION, CRC_POSITION, HEADER, HEADER_SIZE, BatchHeader, crc_of
from kstream.records.builder import RecordTuple

T = TypeVar("T")
E = TypeVar("E", bound=Exception)

NOW_MS = 1_700_000_000_000

_bytes = st.none() | st.binary(max_size=70)
_headers = st.lists(st.tuples(st.text(max_size=8), _bytes), max_size=3)
timestamps = st.integers(NOW_MS - (1 << 40), NOW_MS + (1 << 40)) | st.just(-1)

record_tuples: st.SearchStrategy[RecordTuple] = st.tuples(timestamps, _bytes, _bytes, _headers)
record_lists = st.lists(record_tuples, min_size=1, max_size=80)


def result_of(call: Callable[[], T], error: type[E]) -> T | E:
    """What the call returns, or the one error that it may raise instead."""
    try:
        return call()
    except error as raised:
        return raised


def with_crc(batch: bytes | bytearray) -> bytes:
    """The batch with the CRC that its bytes should have, however wrong they are."""
    out = bytearray(batch)
    out[CRC_POSITION:ATTRIBUTES_POSITION] = crc_of(out, 0, len(out)).to_bytes(4, "big")
    return bytes(out)


def patched(batch: bytes, **fields: int) -> bytes:
    """The batch with other values in its header, and a matching CRC."""
    header = BatchHeader(*HEADER.unpack_from(batch))._replace(**fields)
    return with_crc(HEADER.pack(*header) + batch[HEADER_SIZE:])


def batch_of(payload: bytes, record_count: int = 1, **fields: int) -> bytes:
    """A batch around bytes that need not be records."""
    header = {
        "base_offset": 0,
        "length": HEADER_SIZE - 12 + len(payload),
        "partition_leader_epoch": -1,
        "magic": 2,
        "crc": 0,
        "attributes": 0,
        "last_offset_delta": record_count - 1,
        "base_timestamp_ms": NOW_MS,
        "max_timestamp_ms": NOW_MS,
        "producer_id": -1,
        "producer_epoch": -1,
        "base_sequence": -1,
        "record_count": record_count,
    }
    header.update(fields)
    return with_crc(HEADER.pack(*BatchHeader(**header)) + payload)
