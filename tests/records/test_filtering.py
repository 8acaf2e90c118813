"""Batches with some of their records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.records.batch import TimestampType, check_crc, read_header
from kstream.records.builder import build_batch
from kstream.records.compression import Codec
from kstream.records.errors import CorruptBatch
from kstream.records.filtering import iter_spans, with_records, without_records
from kstream.records.record import Record, iter_records, records_payload

BYTES = st.none() | st.binary(max_size=200)
RECORDS = st.lists(
    st.tuples(
        st.integers(-(2**40), 2**40),
        BYTES,
        BYTES,
        st.lists(st.tuples(st.text(max_size=5), BYTES), max_size=2),
    ),
    min_size=1,
    max_size=150,
)


@given(
    records=RECORDS,
    codec=st.sampled_from(Codec),
    horizon_ms=st.none() | st.integers(0, 2**41),
    timestamp_type=st.sampled_from(TimestampType),
    data=st.data(),
)
def test_the_records_that_stay_are_as_they_were(
    records: list[tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]],
    codec: Codec,
    horizon_ms: int | None,
    timestamp_type: TimestampType,
    data: st.DataObject,
) -> None:
    batch = build_batch(
        records,
        base_offset=1000,
        codec=codec,
        producer_id=9,
        producer_epoch=1,
        base_sequence=2**31 - 3,
        is_transactional=True,
        timestamp_type=timestamp_type,
        partition_leader_epoch=4,
    )
    header = read_header(batch)
    before = list(iter_records(batch))
    payload = records_payload(batch, header)
    spans = list(iter_spans(payload, header.record_count))
    assert [(span[0], span[1], span[2]) for span in spans] == [
        (record.offset - 1000, record.key, record.value is not None) for record in before
    ]
    stay = data.draw(st.sets(st.integers(0, len(spans) - 1), min_size=1))
    made = with_records(header, payload, [spans[at] for at in sorted(stay)], horizon_ms)
    check_crc(made, 0, len(made))
    after = read_header(made)
    assert list(iter_records(made)) == [before[at] for at in sorted(stay)]
    assert after.delete_horizon_ms == horizon_ms
    assert (after.codec, after.last_offset, after.last_sequence, after.is_log_append_time) == (
        codec,
        header.last_offset,
        header.last_sequence,
        header.is_log_append_time,
    )
    again = with_records(
        after,
        records_payload(made, after),
        list(iter_spans(records_payload(made, after), after.record_count)),
        horizon_ms,
    )
    assert list(iter_records(again)) == list(iter_records(made))


def test_a_header_alone() -> None:
    batch = build_batch(
        [Record(5, 70, b"k", b"v"), Record(9, 71, b"k", b"v")],
        base_offset=5,
        codec=Codec.ZSTD,
        producer_id=3,
        producer_epoch=0,
        base_sequence=11,
        delete_horizon_ms=60,
    )
    empty = without_records(read_header(batch))
    header = read_header(empty)
    check_crc(empty, 0, len(empty))
    assert list(iter_records(empty)) == []
    assert (header.base_offset, header.last_offset, header.last_sequence) == (5, 9, 15)
    assert (header.max_timestamp_ms, header.delete_horizon_ms, header.codec) == (71, None, Codec.NONE)


@given(st.data())
def test_other_bytes_are_refused_and_nothing_else(data: st.DataObject) -> None:
    batch = bytearray(build_batch([(1, b"key", b"value"), (2, None, None, [("h", b"x")])]))
    payload = bytearray(records_payload(batch, read_header(batch)))
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(payload)))
    try:
        spans = list(iter_spans(bytes(payload[:cut]), 2))
    except CorruptBatch:
        return
    assert len(spans) == 2
    assert spans[-1][-1] == cut


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(CorruptBatch):
        list(iter_spans(b"", -1))
