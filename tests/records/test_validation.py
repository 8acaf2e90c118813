"""Produced batches and Kafka's errors. Each expectation is what a broker of Apache Kafka 4.4.0 answered to
the same bytes, unless the test says that kstream differs on purpose.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.errors import ErrorCode
from kstream.records.builder import build_batch
from kstream.records.compression import Codec
from kstream.records.validation import InvalidBatch, check_batch
from tests.records.strategies import NOW_MS, patched, result_of

GOOD = build_batch([(NOW_MS, b"k", b"v")])
THREE = build_batch([(NOW_MS + i, b"k", b"v") for i in range(3)])
ZSTD = build_batch([(NOW_MS, b"k", b"v" * 300)], codec=Codec.ZSTD)
SIZE_BYTES_MAX = 1_048_588


def refusal(batch: bytes, *, api_version: int = 13, size_bytes_max: int = SIZE_BYTES_MAX) -> InvalidBatch:
    with pytest.raises(InvalidBatch) as caught:
        check_batch(memoryview(batch), api_version=api_version, size_bytes_max=size_bytes_max)
    error = caught.value
    assert error.code.name in str(error)
    assert error.detail in str(error)
    # For what it finds in the header Kafka sends no record errors, and a message only where it cannot tell
    # that there is a batch at all.
    assert error.record_errors == ()
    assert error.message in (None, error.detail)
    return error


def length(batch: bytes, value: int) -> bytes:
    return batch[:8] + value.to_bytes(4, "big", signed=True) + batch[12:]


def test_a_good_batch_gives_its_header() -> None:
    header = check_batch(memoryview(THREE), api_version=3, size_bytes_max=len(THREE))
    assert (header.record_count, header.size_bytes) == (3, len(THREE))


@pytest.mark.parametrize("behind", [b"abcde", GOOD[:-1], GOOD[:16]])
def test_a_piece_behind_the_batch_is_to_be_cut_off(behind: bytes) -> None:
    header = check_batch(GOOD + behind, api_version=13, size_bytes_max=len(GOOD))
    assert header.size_bytes == len(GOOD)


NOT_ONE_BATCH = {
    "nothing": b"",
    "five bytes": GOOD[:5],
    "a header's piece": GOOD[:40],
    "a byte short": GOOD[:-1],
    "length beyond the end": length(GOOD, 10_000_000),
    "two": GOOD + GOOD,
    "magic 0": GOOD[:16] + b"\x00" + GOOD[17:],
    "magic 1": GOOD[:16] + b"\x01" + GOOD[17:],
}


@pytest.mark.parametrize("batch", NOT_ONE_BATCH.values(), ids=NOT_ONE_BATCH)
def test_anything_but_one_batch_of_magic_2_is_an_invalid_record(batch: bytes) -> None:
    error = refusal(batch)
    assert (error.code, error.has_log_start_offset) == (ErrorCode.INVALID_RECORD, False)


NOT_A_BATCH = {
    "magic 3": GOOD[:16] + b"\x03" + GOOD[17:],
    "magic -1": GOOD[:16] + b"\xff" + GOOD[17:],
    "length -1": length(GOOD, -1),
    "length 13": length(GOOD, 13),
    "length 14": length(GOOD, 14),
    "length 48": length(GOOD, 48),
    "length one short": length(GOOD, len(GOOD) - 13),
    "17 zeros behind": GOOD + bytes(17),
    "12 zeros behind": GOOD + bytes(12),
    "flipped bit": GOOD[:-1] + b"X",
}


@pytest.mark.parametrize("batch", NOT_A_BATCH.values(), ids=NOT_A_BATCH)
def test_what_is_no_batch_is_a_corrupt_message(batch: bytes) -> None:
    error = refusal(batch)
    assert (error.code, error.has_log_start_offset) == (ErrorCode.CORRUPT_MESSAGE, False)


@given(bit=st.integers(17 * 8, len(GOOD) * 8 - 1))
def test_any_flipped_bit_from_the_crc_on_is_a_corrupt_message(bit: int) -> None:
    flipped = bytearray(GOOD)
    flipped[bit // 8] ^= 1 << bit % 8
    assert refusal(bytes(flipped)).code is ErrorCode.CORRUPT_MESSAGE


INVALID_HEADERS: dict[str, tuple[bytes, dict[str, int]]] = {
    "base offset": (GOOD, {"base_offset": 5}),
    "count 0": (GOOD, {"record_count": 0}),
    "count 0, last offset delta -1": (GOOD, {"record_count": 0, "last_offset_delta": -1}),
    "count -1": (GOOD, {"record_count": -1, "last_offset_delta": -2}),
    "count 2, last offset delta 0": (GOOD, {"record_count": 2}),
    "count 1, last offset delta 5": (GOOD, {"last_offset_delta": 5}),
    "count 1, last offset delta -1": (GOOD, {"last_offset_delta": -1}),
    "control batch": (GOOD, {"attributes": 0x20}),
    "producer id without sequence": (GOOD, {"producer_id": 5, "producer_epoch": 0}),
    "producer id, sequence -2": (GOOD, {"producer_id": 5, "producer_epoch": 0, "base_sequence": -2}),
}


@pytest.mark.parametrize(("batch", "fields"), INVALID_HEADERS.values(), ids=INVALID_HEADERS)
def test_a_header_that_contradicts_itself_is_an_invalid_record(batch: bytes, fields: dict[str, int]) -> None:
    error = refusal(patched(batch, **fields))
    assert (error.code, error.has_log_start_offset) == (ErrorCode.INVALID_RECORD, True)


@pytest.mark.parametrize(
    "fields",
    [
        {"producer_id": 5, "producer_epoch": -1, "base_sequence": 0},
        {"base_sequence": 0},
        {"producer_epoch": 3},
        {"producer_id": -7},
        {"attributes": 0x40},
        {"attributes": 0x80},
        {"attributes": 0x100},
        {"partition_leader_epoch": 12},
    ],
)
def test_odd_headers_that_kafka_takes(fields: dict[str, int]) -> None:
    batch = patched(GOOD, **fields)
    header = check_batch(batch, api_version=13, size_bytes_max=SIZE_BYTES_MAX)
    assert header._asdict() | fields == header._asdict()


@pytest.mark.parametrize("api_version", [3, 5, 6])
def test_zstd_needs_version_7(api_version: int) -> None:
    unsupported = ErrorCode.UNSUPPORTED_COMPRESSION_TYPE
    # It comes before the CRC and before a second batch, and after the magic.
    for batch in (ZSTD, ZSTD[:-1] + b"X", ZSTD + ZSTD):
        assert refusal(batch, api_version=api_version).code is unsupported
    assert refusal(ZSTD[:16] + b"\x01" + ZSTD[17:], api_version=api_version).code is ErrorCode.INVALID_RECORD


@pytest.mark.parametrize("api_version", [7, 13])
def test_zstd_from_version_7(api_version: int) -> None:
    assert check_batch(ZSTD, api_version=api_version, size_bytes_max=SIZE_BYTES_MAX).codec is Codec.ZSTD


def test_a_batch_over_the_limit_is_too_large_before_it_is_corrupt() -> None:
    for batch in (GOOD, GOOD[:-1] + b"X"):
        error = refusal(batch, size_bytes_max=len(GOOD) - 1)
        assert (error.code, error.has_log_start_offset) == (ErrorCode.MESSAGE_TOO_LARGE, False)


def test_the_base_offset_comes_before_size_and_crc() -> None:
    batch = patched(GOOD, base_offset=3)
    assert refusal(batch[:-1] + b"X", size_bytes_max=10).code is ErrorCode.INVALID_RECORD


@given(st.binary(max_size=150), st.sampled_from([0, 5, 12, 17, 40, 61]), st.integers(3, 13))
def test_any_bytes_are_a_header_or_a_refusal(junk: bytes, kept: int, api_version: int) -> None:
    batch = GOOD[:kept] + junk
    result = result_of(
        lambda: check_batch(memoryview(batch), api_version=api_version, size_bytes_max=1000), InvalidBatch
    )
    if isinstance(result, InvalidBatch):
        assert result.code in {ErrorCode.INVALID_RECORD, ErrorCode.CORRUPT_MESSAGE}
    else:
        assert batch[: result.size_bytes] == GOOD
