"""Records of many batches as columns, against reading them one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kstream.records.batch import read_header
from kstream.records.builder import build_batch
from kstream.records.columns import read_columns
from kstream.records.errors import CorruptBatch
from kstream.records.record import Record, iter_payload, records_payload
from kstream.wire.primitives import varint, varlong
from tests.log.support import no_pause

INT32 = st.integers(0, 2**31 - 1)
BYTES = st.none() | st.binary(max_size=20) | st.sampled_from([b"k" * 64, b"k" * 8200, b"k" * 1_100_000])
RECORDS = st.lists(
    st.tuples(st.integers(-(2**62), 2**62), BYTES, BYTES, st.just([("h", b"x")]) | st.just([])), max_size=80
)


@given(batches=st.lists(st.tuples(INT32, RECORDS), max_size=8))
@example(batches=[(0, [(0, b"k", b"v", [])] * 5000), (7, [(0, b"k", b"v" * 70, [])] * 5000)])
def test_each_row_is_a_record(
    batches: list[tuple[int, list[tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]]]],
) -> None:
    payloads, counts = [], []
    before: list[Record] = []
    for first_delta, records in batches:
        placed = [
            Record(first_delta + 3 * at, time_ms, key, value, tuple(headers))
            for at, (time_ms, key, value, headers) in enumerate(records)
        ]
        if not placed or placed[-1].offset >= 2**31:
            continue
        made = build_batch(placed)
        header = read_header(made)
        payloads.append(records_payload(made, header))
        counts.append(len(placed))
        zeroed = header._replace(base_timestamp_ms=0)
        before += iter_payload(payloads[-1], zeroed)
    columns = read_columns(payloads, counts, no_pause)
    assert columns.offset_deltas.tolist() == [record.offset for record in before]
    assert columns.timestamp_deltas.tolist() == [record.timestamp_ms for record in before]
    assert columns.has_value.tolist() == [record.value is not None for record in before]
    assert (columns.key_sizes >= 0).tolist() == [record.key is not None for record in before]
    keyed = np.flatnonzero(columns.key_sizes >= 0)
    assert columns.keys(keyed) == [record.key for record in before if record.key is not None]
    joined = [columns.stream[start:end] for start, end in zip(columns.starts, columns.ends, strict=True)]
    assert b"".join(joined) == b"".join(payloads)


@given(st.data())
def test_other_bytes_are_refused_where_reading_one_by_one_refuses_their_sizes(data: st.DataObject) -> None:
    batch = build_batch([(1, b"key", b"value"), (2, None, None, [("h", b"x")]), (2**40, b"k" * 70, b"")])
    payload = bytearray(records_payload(batch, read_header(batch)))
    for _ in range(data.draw(st.integers(0, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(payload)) | st.just(len(payload)))
    spoiled = bytes(payload[:cut])
    header = read_header(batch)._replace(base_offset=0, base_timestamp_ms=0)
    try:
        expected = list(iter_payload(spoiled, header))
    except CorruptBatch:
        expected = None
    try:
        columns = read_columns([b"", spoiled, b""], [0, 3, 0], no_pause)
    except CorruptBatch:
        assert expected is None, "what is sound is read"
        return
    assert (len(columns.starts), columns.ends[-1]) == (3, cut)
    if expected is not None:
        assert columns.offset_deltas.tolist() == [record.offset for record in expected]
        assert columns.timestamp_deltas.tolist() == [record.timestamp_ms for record in expected]


def record(length: bytes | None = None, **fields: bytes) -> bytes:
    parts = {
        "attributes": b"\0",
        "time": b"\0",
        "offset": b"\0",
        "key": b"\x01",
        "value": b"\x01",
        "headers": b"\0",
    }
    body = b"".join((parts | fields).values())
    return (varint(len(body)) if length is None else length) + body


@pytest.mark.parametrize(
    "spoiled",
    [
        record(length=varint(-6)),
        record(length=b"\xff" * 5 + b"\x00"),
        record(length=b"\x80"),
        record(time=b"\x80" * 10 + b"\x00"),
        record(time=b"\xff" * 9 + b"\x02"),
        record(offset=b"\x80" * 5 + b"\x00"),
        record(offset=b"\xff\xff\xff\xff\x1f"),
        record(key=varint(2**31 - 1)),
        record(value=varint(1)),
        record() + b"\x00",
        record()[:-1],
        record() * 2,
        b"",
    ],
)
def test_what_no_record_can_be_is_refused(spoiled: bytes) -> None:
    with pytest.raises(CorruptBatch):
        read_columns([spoiled], [1], no_pause)


def test_the_longest_numbers_are_read() -> None:
    times = [-(2**63), 2**63 - 1, -1, 0]
    payload = b"".join(record(time=varlong(time), offset=varint(2**31 - 1)) for time in times)
    columns = read_columns([payload], [4], no_pause)
    assert columns.timestamp_deltas.tolist() == times
    assert columns.offset_deltas.tolist() == [2**31 - 1] * 4


def test_a_count_that_lies_is_refused() -> None:
    for count in (-1, 1, 2**31 - 1):
        with pytest.raises(CorruptBatch):
            read_columns([b""], [count], no_pause)


@pytest.mark.parametrize("count", [1, 1 << 20, 2**31 - 1])
def test_a_bomb_of_empty_records_is_refused_before_it_is_unfolded(count: int) -> None:
    """A megabyte of zeros is a million records without fields, and compresses to next to nothing."""
    pieces: list[int] = []
    with pytest.raises(CorruptBatch):
        read_columns([bytes(1 << 20)], [count], pieces.append)
    assert len(pieces) <= 1
