"""What is built is what is read: all codecs, Kafka's own bytes, kafka-python both ways."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kstream.records.batch import TimestampType, check_crc, read_header
from kstream.records.builder import RecordTuple, build_batch
from kstream.records.compression import Codec
from kstream.records.recompression import recompress, target_codec
from kstream.records.record import Record, iter_records, records_payload
from kstream.records.validation import RecordRules, check_batch, check_records
from tests.records import golden
from tests.records.kafka_python import DefaultRecordBatch, DefaultRecordBatchBuilder
from tests.records.strategies import NOW_MS, record_lists

ANY_TIME = RecordRules(timestamp_after_max_ms=2**62)
codecs = st.sampled_from(Codec)


def as_records(tuples: list[RecordTuple], base_offset: int = 0) -> list[Record]:
    return [
        Record(
            base_offset + index, fields[0], fields[1], fields[2], tuple(fields[3]) if len(fields) > 3 else ()
        )
        for index, fields in enumerate(tuples)
    ]


@pytest.mark.parametrize("codec", Codec)
def test_reads_kafkas_records(codec: Codec) -> None:
    assert list(iter_records(golden.BATCHES[codec])) == golden.RECORDS


def test_builds_kafkas_bytes() -> None:
    built = build_batch(
        golden.RECORDS,
        base_offset=77,
        producer_id=4000,
        producer_epoch=2,
        base_sequence=10,
        partition_leader_epoch=6,
    )
    assert built == golden.BATCHES[Codec.NONE]


@pytest.mark.parametrize("codec", Codec)
def test_the_stream_decompresses_to_kafkas_bytes(codec: Codec) -> None:
    batch = golden.BATCHES[codec]
    assert records_payload(batch, read_header(batch)) == golden.BATCHES[Codec.NONE][61:]


@given(tuples=record_lists, codec=codecs, base_offset=st.integers(0, 2**62))
def test_round_trip(tuples: list[RecordTuple], codec: Codec, base_offset: int) -> None:
    batch = build_batch(tuples, codec=codec, base_offset=base_offset)
    header = read_header(batch)
    check_crc(batch, 0, len(batch))
    assert (header.codec, header.record_count, header.base_offset) == (codec, len(tuples), base_offset)
    assert header.max_timestamp_ms == max(fields[0] for fields in tuples)
    assert list(iter_records(b"front" + batch + b"behind", 5)) == as_records(tuples, base_offset)


@given(tuples=record_lists, codec=codecs)
def test_what_is_built_is_valid(tuples: list[RecordTuple], codec: Codec) -> None:
    batch = memoryview(build_batch(tuples, codec=codec))
    header = check_batch(batch, api_version=13, size_bytes_max=len(batch))
    assert check_records(batch, header, ANY_TIME, NOW_MS) == header.max_timestamp_ms


@given(tuples=record_lists, codec=codecs)
def test_kafka_python_reads_it(tuples: list[RecordTuple], codec: Codec) -> None:
    batch = DefaultRecordBatch(
        build_batch(tuples, codec=codec, producer_id=5, producer_epoch=1, base_sequence=3)
    )
    assert batch.validate_crc()
    assert (batch.producer_id, batch.producer_epoch, batch.base_sequence) == (5, 1, 3)
    read = [Record(r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in batch]
    assert read == as_records(tuples)


@given(tuples=record_lists, codec=codecs, is_transactional=st.booleans())
def test_reads_what_kafka_python_builds(
    tuples: list[RecordTuple], codec: Codec, is_transactional: bool
) -> None:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=int(codec),
        is_transactional=is_transactional,
        producer_id=9,
        producer_epoch=0,
        base_sequence=0,
        batch_size=1 << 20,
    )
    for record in as_records(tuples):
        assert builder.append(
            record.offset, record.timestamp_ms, record.key, record.value, list(record.headers)
        )
    batch = bytes(builder.build())
    header = check_batch(batch, api_version=13, size_bytes_max=len(batch))
    assert header.is_transactional is is_transactional
    # kafka-python keeps its own max timestamp wrong where timestamps descend; the records say what it is.
    assert check_records(batch, header, ANY_TIME, NOW_MS) == max(fields[0] for fields in tuples)
    assert list(iter_records(batch)) == as_records(tuples)
    if codec is Codec.NONE:
        ours = build_batch(tuples, producer_id=9, producer_epoch=0, base_sequence=0)
        assert ours[61:] == batch[61:]


@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.SNAPPY, Codec.LZ4, Codec.ZSTD])
def test_kafka_python_and_many_blocks(codec: Codec) -> None:
    tuples: list[RecordTuple] = [(NOW_MS + i, b"k%d" % i, b"%d" % (i * 7919) * 20) for i in range(3000)]
    batch = build_batch(tuples, codec=codec)
    assert [r.value for r in DefaultRecordBatch(batch)] == [fields[2] for fields in tuples]
    builder = DefaultRecordBatchBuilder(2, int(codec), False, -1, -1, -1, 1 << 20)
    for record in as_records(tuples):
        builder.append(record.offset, record.timestamp_ms, record.key, record.value, [])
    theirs = bytes(builder.build())
    assert read_header(theirs).codec is codec
    assert list(iter_records(theirs)) == as_records(tuples)


def test_levels_reach_the_codec() -> None:
    tuples: list[RecordTuple] = [(NOW_MS, b"k", b"%d" % (i * 7919)) for i in range(2000)]
    for codec, low, high in ((Codec.GZIP, 1, 9), (Codec.LZ4, 1, 12), (Codec.ZSTD, 1, 19)):
        fast, small = (build_batch(tuples, codec=codec, level=level) for level in (low, high))
        assert len(small) < len(fast)
        assert list(iter_records(small)) == list(iter_records(fast)) == as_records(tuples)


def test_records_keep_their_offsets_and_the_batch_its_end() -> None:
    # What compaction leaves: holes, and the last offset of a batch whose last records are gone.
    kept = [Record(102, NOW_MS, b"a", b"1"), Record(107, NOW_MS, b"b", None)]
    batch = build_batch(kept, base_offset=100, last_offset_delta=9)
    assert list(iter_records(batch)) == kept
    assert read_header(batch).last_offset == 109
    empty = build_batch([], base_offset=100, last_offset_delta=9)
    assert list(iter_records(empty)) == []
    assert (read_header(empty).record_count, read_header(empty).last_offset) == (0, 109)


def test_offsets_that_do_not_ascend_are_our_own_fault() -> None:
    record = Record(5, NOW_MS, None, None)
    for records, options in (
        ([record, record], {}),
        ([record], {"base_offset": 6}),
        ([record], {"last_offset_delta": 4}),
        ([record], {"base_offset": 5 - 2**31}),
        ([], {}),
    ):
        with pytest.raises(ValueError, match="offset"):
            build_batch(records, **options)  # type: ignore[arg-type]


def test_every_option_is_in_the_header() -> None:
    batch = build_batch(
        [(NOW_MS, b"k", b"v")],
        timestamp_type=TimestampType.LOG_APPEND_TIME,
        is_transactional=True,
        is_control=True,
        delete_horizon_ms=NOW_MS - 50,
        partition_leader_epoch=4,
    )
    header = read_header(batch)
    assert header.attributes == 0x78
    assert (header.delete_horizon_ms, header.partition_leader_epoch) == (NOW_MS - 50, 4)
    assert [record.timestamp_ms for record in iter_records(batch)] == [NOW_MS]


def test_timestamp_deltas_are_against_the_delete_horizon_where_there_is_one() -> None:
    batch = build_batch([(NOW_MS, b"k", None), (NOW_MS + 3, b"l", None)], delete_horizon_ms=NOW_MS + 1000)
    assert [record.timestamp_ms for record in iter_records(batch)] == [NOW_MS, NOW_MS + 3]


@settings(max_examples=20)
@given(tuples=record_lists)
def test_recompression_changes_the_stream_alone(tuples: list[RecordTuple]) -> None:
    for codec, target in itertools.product(Codec, Codec):
        batch = build_batch(tuples, codec=codec, producer_id=5, producer_epoch=1, base_sequence=3)
        header = read_header(batch)
        again = recompress(batch, header, target)
        check_crc(again, 0, len(again))
        new = read_header(again)
        assert new.codec is target
        assert new._replace(length=0, crc=0, attributes=0) == header._replace(length=0, crc=0, attributes=0)
        assert list(iter_records(again)) == as_records(tuples)


def test_compression_type_names_a_codec() -> None:
    assert target_codec("producer") is None
    assert target_codec("uncompressed") is Codec.NONE
    assert [target_codec(codec.name.lower()) for codec in Codec if codec] == [
        codec for codec in Codec if codec
    ]
