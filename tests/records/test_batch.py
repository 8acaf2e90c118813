"""The header view: fields, CRC, stamping, several batches in a row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.records.batch import (
    HEADER_SIZE,
    BatchHeader,
    CorruptBatch,
    TimestampType,
    UnsupportedMagic,
    check_crc,
    crc_of,
    iter_headers,
    read_header,
    set_timestamps,
    stamp,
    stamped_front,
)
from kstream.records.builder import build_batch
from kstream.records.compression import Codec
from kstream.records.record import iter_records
from tests.records import golden
from tests.records.strategies import NOW_MS, patched

BATCH = build_batch([(NOW_MS, b"k", b"v"), (NOW_MS + 5, None, b"w")])


@pytest.mark.parametrize("codec", Codec)
def test_reads_kafkas_header(codec: Codec) -> None:
    batch = golden.BATCHES[codec]
    header = read_header(batch)
    fields = header._asdict()
    assert {name: fields[name] for name in golden.HEADER_FIELDS} == golden.HEADER_FIELDS
    assert header.size_bytes == len(batch)
    assert header.codec is codec
    assert (header.last_offset, header.next_offset, header.last_sequence) == (78, 79, 11)
    assert header.has_producer_id
    assert not header.is_control
    check_crc(batch, 0, len(batch))


def test_every_attribute_bit_has_its_property() -> None:
    flags = {
        0x08: "is_log_append_time",
        0x10: "is_transactional",
        0x20: "is_control",
        0x40: "has_delete_horizon",
    }
    for bit, name in flags.items():
        header = read_header(patched(BATCH, attributes=bit))
        assert [flag for flag in flags.values() if getattr(header, flag)] == [name]
    assert read_header(patched(BATCH, attributes=0x40)).delete_horizon_ms == NOW_MS
    assert read_header(BATCH).delete_horizon_ms is None
    assert read_header(patched(BATCH, attributes=4)).is_compressed


def test_unknown_codec_is_corrupt() -> None:
    for codec in (5, 6, 7):
        with pytest.raises(CorruptBatch, match="codec"):
            _ = read_header(patched(BATCH, attributes=codec)).codec


def test_sequences_wrap_at_the_largest_int32() -> None:
    header = read_header(patched(BATCH, base_sequence=2**31 - 1))
    assert header.last_sequence == 0
    assert read_header(BATCH).last_sequence == -1


@pytest.mark.parametrize("size", range(HEADER_SIZE))
def test_a_piece_of_a_header_is_corrupt(size: int) -> None:
    with pytest.raises(CorruptBatch):
        read_header(BATCH[:size])


@pytest.mark.parametrize("magic", [0, 1, 3, 127, -1])
def test_other_magics_are_refused(magic: int) -> None:
    with pytest.raises(UnsupportedMagic) as caught:
        read_header(patched(BATCH, magic=magic))
    assert caught.value.magic == magic


@pytest.mark.parametrize("length", [-(2**31), -1, 0, 48])
def test_lengths_without_room_for_a_header_are_corrupt(length: int) -> None:
    with pytest.raises(CorruptBatch, match="length"):
        read_header(patched(BATCH, length=length))


@given(st.integers(0, len(BATCH) * 8 - 1))
def test_crc_sees_every_bit_from_the_attributes_on(bit: int) -> None:
    flipped = bytearray(BATCH)
    flipped[bit // 8] ^= 1 << bit % 8
    if bit // 8 < 17:
        check_crc(flipped, 0, len(flipped))
    else:
        with pytest.raises(CorruptBatch, match="crc"):
            check_crc(flipped, 0, len(flipped))


def test_batches_back_to_back() -> None:
    other = build_batch([(NOW_MS, b"k", b"x" * 100)], base_offset=2)
    both = memoryview(BATCH + other)
    assert list(iter_headers(both)) == [read_header(BATCH), read_header(other)]
    assert list(iter_headers(both, len(BATCH))) == [read_header(other)]
    assert list(iter_headers(b"")) == []
    for cut in range(1, len(other) + 1):
        torn = both[: len(both) - cut]
        assert list(iter_headers(torn, partial_ok=True)) == [read_header(BATCH)]
        if len(torn) > len(BATCH):
            with pytest.raises(CorruptBatch):
                list(iter_headers(torn))


def test_stamping_leaves_the_crc_valid() -> None:
    for writable in (bytearray(b"??" + BATCH), memoryview(bytearray(b"??" + BATCH))):
        stamp(writable, 1 << 40, 7, position=2)
        header = read_header(writable, 2)
        assert (header.base_offset, header.partition_leader_epoch) == (1 << 40, 7)
        check_crc(writable, 2, len(BATCH))
        assert bytes(writable[2:18]) == stamped_front(read_header(BATCH), 1 << 40, 7)
        assert [record.offset for record in iter_records(writable, 2)] == [1 << 40, (1 << 40) + 1]


def test_log_append_time_is_the_time_of_every_record() -> None:
    buffer = bytearray(b"!" + BATCH)
    header = set_timestamps(buffer, read_header(BATCH), TimestampType.LOG_APPEND_TIME, NOW_MS + 99, 1)
    assert header == read_header(buffer, 1)
    assert header.is_log_append_time
    assert header.crc == crc_of(buffer, 1, len(BATCH))
    assert {record.timestamp_ms for record in iter_records(buffer, 1)} == {NOW_MS + 99}


def test_timestamps_that_are_right_are_not_written() -> None:
    header = read_header(BATCH)
    # bytes cannot be written to: nothing was.
    assert set_timestamps(BATCH, header, TimestampType.CREATE_TIME, NOW_MS + 5) is header  # type: ignore[arg-type]


def test_rewriting_attributes_clears_bits_without_meaning() -> None:
    # Kafka 4.4 stores a batch with such bits as it came, unless it has to rewrite the attributes anyway.
    buffer = bytearray(patched(BATCH, attributes=0x180))
    header = set_timestamps(buffer, read_header(buffer), TimestampType.LOG_APPEND_TIME, NOW_MS)
    assert header.attributes == 0x08
    check_crc(buffer, 0, len(buffer))


def test_header_is_a_plain_tuple_of_thirteen() -> None:
    assert len(read_header(BATCH)) == len(BatchHeader._fields) == 13
