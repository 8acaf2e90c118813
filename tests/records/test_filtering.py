"""Batches with some of their records."""

from __future__ import annotations

from itertools import compress

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kstream.records.batch import TimestampType, check_crc, read_header
from kstream.records.builder import build_batch
from kstream.records.columns import RecordColumns, read_columns
from kstream.records.compression import Codec
from kstream.records.filtering import with_records, without_records
from kstream.records.record import Record, iter_records, records_payload
from tests.log.support import no_pause

BYTES = st.none() | st.binary(max_size=200)


def columns_of(batch: bytes) -> RecordColumns:
    header = read_header(batch)
    return read_columns([records_payload(batch, header)], [header.record_count], no_pause)


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
    stay = data.draw(st.lists(st.booleans(), min_size=len(before), max_size=len(before)).filter(any))
    columns = columns_of(batch)
    made = with_records(header, columns.take(np.array(stay)), horizon_ms)
    check_crc(made, 0, len(made))
    after = read_header(made)
    assert list(iter_records(made)) == list(compress(before, stay))
    assert after.delete_horizon_ms == horizon_ms
    assert (after.codec, after.last_offset, after.last_sequence, after.is_log_append_time) == (
        codec,
        header.last_offset,
        header.last_sequence,
        header.is_log_append_time,
    )
    again = with_records(after, columns_of(made), horizon_ms)
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
