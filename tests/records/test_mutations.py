"""Whatever the bytes, readers raise their own error or return, and hold a bounded amount of memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from kstream.errors import ErrorCode
from kstream.records.batch import CorruptBatch, check_crc, iter_headers, read_header
from kstream.records.builder import build_batch
from kstream.records.compression import Codec, compress
from kstream.records.control import control_type, read_end_txn_marker, read_quorum_record
from kstream.records.metadata import decode_metadata
from kstream.records.record import iter_records
from kstream.records.validation import InvalidBatch, RecordRules, check_batch, check_records
from tests.records.strategies import NOW_MS, batch_of, result_of, with_crc

TUPLES = [(NOW_MS + i, b"key%d" % i, b"value" * i, [("h", None), ("g", b"x")]) for i in range(12)]
BATCHES = [build_batch(TUPLES, codec=codec) for codec in Codec]
LIMIT = 1 << 16
RULES = RecordRules(is_compacted=True, decompressed_size_bytes_max=LIMIT)

PRODUCE_ERRORS = {
    ErrorCode.CORRUPT_MESSAGE,
    ErrorCode.MESSAGE_TOO_LARGE,
    ErrorCode.INVALID_TIMESTAMP,
    ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
    ErrorCode.INVALID_RECORD,
}

edits = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=6)


def mutated(batch: bytes, changes: list[tuple[int, int]], cut: int) -> bytes:
    out = bytearray(batch)
    for place, value in changes:
        out[place % len(out)] = value
    return bytes(out[: len(out) - cut])


def read_all(batch: bytes) -> None:
    """Everything that reads batches; raises only what it should."""
    headers = result_of(lambda: list(iter_headers(batch)), CorruptBatch)
    if not isinstance(headers, CorruptBatch):
        assert sum(header.size_bytes for header in headers) == len(batch)
    crc = result_of(lambda: check_crc(batch, 0, len(batch)), CorruptBatch) if len(batch) >= 61 else None
    assert crc is None or "crc" in str(crc)
    records = result_of(lambda: list(iter_records(batch, size_bytes_max=LIMIT)), CorruptBatch)
    if not isinstance(records, CorruptBatch):
        assert len(records) == read_header(batch).record_count
    checked = result_of(lambda: check(batch), InvalidBatch)
    if isinstance(checked, InvalidBatch):
        assert checked.code in PRODUCE_ERRORS
    else:
        assert not isinstance(records, CorruptBatch) or len(batch) != read_header(batch).size_bytes


def check(batch: bytes) -> int:
    header = check_batch(batch, api_version=13, size_bytes_max=1 << 20)
    return check_records(batch, header, RULES, NOW_MS)


@settings(max_examples=300)
@given(st.sampled_from(BATCHES), edits, st.integers(0, 40), st.booleans())
def test_mutated_batches(batch: bytes, changes: list[tuple[int, int]], cut: int, has_crc: bool) -> None:
    bad = mutated(batch, changes, cut)
    read_all(with_crc(bad) if has_crc else bad)


@settings(max_examples=300)
@given(
    st.binary(max_size=120), st.sampled_from([Codec.NONE, Codec.LZ4]), st.integers(1, 5) | st.just(2**31 - 1)
)
def test_any_bytes_as_records(payload: bytes, codec: Codec, record_count: int) -> None:
    read_all(batch_of(compress(codec, payload), record_count, attributes=int(codec)))


@given(st.binary(max_size=120), st.sampled_from(Codec))
def test_any_bytes_as_stream(stream: bytes, codec: Codec) -> None:
    read_all(batch_of(stream, 1, attributes=int(codec)))


@given(edits)
def test_both_readers_agree_on_what_is_a_record(changes: list[tuple[int, int]]) -> None:
    payload = mutated(BATCHES[0][61:], changes, 0)
    batch = batch_of(payload, len(TUPLES))
    try:
        records = list(iter_records(batch))
    except CorruptBatch:
        records = []
    counts_from_zero = [record.offset for record in records] == list(range(len(TUPLES)))
    any_time = RecordRules(timestamp_before_max_ms=2**65, timestamp_after_max_ms=2**65)
    try:
        max_timestamp_ms = check_records(batch, read_header(batch), any_time, NOW_MS)
    except InvalidBatch:
        assert not counts_from_zero or max(record.timestamp_ms for record in records) >= 2**63
    else:
        assert counts_from_zero
        assert max_timestamp_ms == max(-1, *(record.timestamp_ms for record in records))


@given(st.binary(max_size=40))
def test_any_bytes_as_control_and_metadata_records(data: bytes) -> None:
    batch = build_batch([(NOW_MS, data[:5], data[5:])], is_control=True)
    (record,) = iter_records(batch)
    readers: list[Callable[[], object]] = [
        lambda: control_type(data),
        lambda: read_end_txn_marker(batch),
        lambda: read_quorum_record(record),
        lambda: decode_metadata(data),
    ]
    for read in readers:
        result = result_of(read, CorruptBatch)
        assert not isinstance(result, CorruptBatch) or str(result)


def test_counts_that_lie_cost_nothing() -> None:
    many_headers = bytes([22, 0, 0, 0, 1, 1, 0xFE, 0xFF, 0xFF, 0xFF, 0x0F, 0])
    batch = batch_of(many_headers, 2**31 - 1)
    tracemalloc.start()
    try:
        read_all(batch)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100_000
