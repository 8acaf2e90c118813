"""Records of produced batches and Kafka's errors. Each expectation is what a broker of Apache Kafka 4.4.0
answered to the same bytes, unless the test says that kstream differs on purpose.
"""

from __future__ import annotations

import pytest

from kstream.errors import ErrorCode
from kstream.records.batch import TimestampType, check_crc, read_header, set_timestamps
from kstream.records.builder import append_record, build_batch
from kstream.records.compression import Codec, compress
from kstream.records.record import iter_records
from kstream.records.validation import (
    RECORD_ERRORS_MAX,
    InvalidBatch,
    RecordRules,
    check_batch,
    check_records,
    must_check_records,
)
from tests.records.strategies import NOW_MS, batch_of, patched

HOUR_MS = 3_600_000
LOG_APPEND_TIME = RecordRules(timestamp_type=TimestampType.LOG_APPEND_TIME)
COMPACTED = RecordRules(is_compacted=True)
WITHIN_A_SECOND = RecordRules(timestamp_before_max_ms=1000, timestamp_after_max_ms=1000)

both = pytest.mark.parametrize("codec", [Codec.NONE, Codec.GZIP])


def checked(batch: bytes, rules: RecordRules | None = None, now_ms: int = NOW_MS) -> int:
    view = memoryview(batch)
    header = check_batch(view, api_version=13, size_bytes_max=len(batch))
    return check_records(view, header, rules or RecordRules(), now_ms)


def refusal(batch: bytes, rules: RecordRules | None = None) -> InvalidBatch:
    with pytest.raises(InvalidBatch) as caught:
        checked(batch, rules)
    return caught.value


def record(
    timestamp_delta_ms: int = 0, offset_delta: int = 0, key: bytes | None = b"k", value: bytes | None = b"v"
) -> bytes:
    body = bytearray()
    append_record(body, timestamp_delta_ms, offset_delta, key, value)
    return bytes(body)


def around(payload: bytes, codec: Codec = Codec.NONE, record_count: int = 1, **fields: int) -> bytes:
    attributes = fields.pop("attributes", 0) | codec
    return batch_of(compress(codec, payload), record_count, attributes=attributes, **fields)


# -- timestamps


def test_the_max_timestamp_is_the_records_whatever_the_header_says() -> None:
    for lie in (0, -1, NOW_MS + 5_000_000):
        batch = patched(build_batch([(NOW_MS + i, b"k", b"v") for i in (0, 2, 1)]), max_timestamp_ms=lie)
        assert checked(batch) == NOW_MS + 2
    stored = bytearray(batch)
    header = set_timestamps(stored, read_header(batch), TimestampType.CREATE_TIME, NOW_MS + 2)
    check_crc(stored, 0, len(stored))
    assert read_header(stored) == header
    assert header.max_timestamp_ms == NOW_MS + 2


def test_records_without_timestamp() -> None:
    assert checked(build_batch([(-1, b"k", b"v")])) == -1
    assert checked(build_batch([(-5, b"k", b"v")])) == -1
    assert checked(build_batch([(NOW_MS, b"k", b"v"), (-1, b"k", b"v")])) == NOW_MS
    # -1 is no timestamp and is never out of range; -2 is a time.
    assert checked(build_batch([(-1, b"k", b"v")]), WITHIN_A_SECOND) == -1
    assert refusal(build_batch([(-2, b"k", b"v")]), WITHIN_A_SECOND).code is ErrorCode.INVALID_TIMESTAMP


@both
def test_timestamps_out_of_range_are_named_each(codec: Codec) -> None:
    times = (NOW_MS - 1001, NOW_MS - 1000, NOW_MS + 1000, NOW_MS + 1001)
    error = refusal(build_batch([(time, b"k", b"v") for time in times], codec=codec), WITHIN_A_SECOND)
    assert error.code is ErrorCode.INVALID_TIMESTAMP
    assert error.has_log_start_offset
    assert [index for index, _ in error.record_errors] == [0, 3]
    assert str(NOW_MS - 1001) in error.record_errors[0][1]
    assert error.message is not None


def test_by_default_an_hour_ahead_is_the_limit_and_the_past_has_none() -> None:
    assert checked(build_batch([(NOW_MS + HOUR_MS, b"k", b"v")])) == NOW_MS + HOUR_MS
    assert checked(build_batch([(1, b"k", b"v")])) == 1
    assert refusal(build_batch([(NOW_MS + HOUR_MS + 1, b"k", b"v")])).code is ErrorCode.INVALID_TIMESTAMP


def test_log_append_time_is_now() -> None:
    batch = build_batch([(5, b"k", b"v"), (NOW_MS + 9 * HOUR_MS, b"k", b"v")])
    assert checked(batch, LOG_APPEND_TIME, NOW_MS + 7) == NOW_MS + 7


def test_a_producer_does_not_claim_log_append_time() -> None:
    claims = patched(build_batch([(NOW_MS, b"k", b"v")] * 2), attributes=0x08)
    error = refusal(claims, LOG_APPEND_TIME)
    assert error.code is ErrorCode.INVALID_TIMESTAMP
    assert [index for index, _ in error.record_errors] == [0, 1]
    # On a topic with CreateTime Kafka takes it, and stores it as CreateTime.
    assert checked(claims) == NOW_MS
    stored = bytearray(claims)
    set_timestamps(stored, read_header(claims), TimestampType.CREATE_TIME, NOW_MS)
    assert not read_header(stored).is_log_append_time
    assert refusal(patched(claims, max_timestamp_ms=-1)).code is ErrorCode.INVALID_TIMESTAMP


# -- keys


@both
def test_compacted_topics_need_keys(codec: Codec) -> None:
    keys = [None, b"k", None, b"", None, None]
    error = refusal(build_batch([(NOW_MS, key, b"v") for key in keys], codec=codec), COMPACTED)
    assert (error.code, error.has_log_start_offset) == (ErrorCode.INVALID_RECORD, True)
    assert [index for index, _ in error.record_errors] == [0, 2, 4, 5]
    # The message names the first three, and how many there are.
    assert error.message is not None
    assert "4 in all" in error.message
    assert error.message.count("without a key") == 3


def test_with_both_faults_the_code_is_that_of_timestamps() -> None:
    rules = RecordRules(is_compacted=True, timestamp_before_max_ms=1000)
    old = NOW_MS - 100_000
    error = refusal(build_batch([(old, None, b"v"), (old, b"k", b"v"), (NOW_MS, None, b"v")]), rules)
    assert error.code is ErrorCode.INVALID_TIMESTAMP
    assert [("key" in text) for _, text in error.record_errors] == [True, False, True]


def test_a_missing_key_is_said_before_a_wrong_timestamp_type() -> None:
    rules = RecordRules(is_compacted=True, timestamp_type=TimestampType.LOG_APPEND_TIME)
    error = refusal(patched(build_batch([(NOW_MS, None, b"v")]), attributes=0x08), rules)
    assert error.code is ErrorCode.INVALID_RECORD


def test_the_list_of_record_errors_is_bounded() -> None:
    # kstream differs: Kafka lists them all, and its answer may be larger than the request.
    error = refusal(build_batch([(NOW_MS, None, b"")] * (RECORD_ERRORS_MAX + 5)), COMPACTED)
    assert len(error.record_errors) == RECORD_ERRORS_MAX


# -- structure

K_V = record()


@both
@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="no record"),
        pytest.param(b"\x00", id="record of no bytes"),
        pytest.param(b"\x01" + K_V[1:], id="negative size"),
        pytest.param(bytes([K_V[0] + 2]) + K_V[1:] + b"\x00", id="size one too large, byte there"),
        pytest.param(K_V + b"\x00", id="byte left over"),
        pytest.param(K_V + K_V, id="record left over"),
        pytest.param(K_V[:-1], id="cut short"),
        pytest.param(b"\x80" * 6 + b"\x00", id="varint of seven bytes"),
        pytest.param(bytes([14, 0, 0, 0, 100, 2, 0x61, 0]), id="key longer than the record"),
        pytest.param(K_V[:-1] + b"\x01", id="header count -1"),
        pytest.param(K_V[:-1] + b"\x78", id="header count 60"),
        pytest.param(bytes([18, 0, 0, 0, 1, 1, 2, 1, 1]), id="header without key"),
        pytest.param(bytes([34, 0] + [0x80] * 10 + [0, 0, 1, 1, 0]), id="varlong of eleven bytes"),
    ],
)
def test_records_that_do_not_parse(payload: bytes, codec: Codec) -> None:
    error = refusal(around(payload, codec))
    assert (error.code, error.record_errors, error.message) == (ErrorCode.INVALID_RECORD, (), None)
    assert error.has_log_start_offset


@both
@pytest.mark.parametrize("size_delta", [-1, 1])
def test_a_records_own_length_is_checked(size_delta: int, codec: Codec) -> None:
    # kstream differs for compressed batches: Kafka stores them, and no consumer can read them.
    payload = bytes([K_V[0] + 2 * size_delta]) + K_V[1:]
    assert refusal(around(payload, codec)).code is ErrorCode.INVALID_RECORD


@both
@pytest.mark.parametrize("deltas", [(5,), (-1,), (0, 0), (1, 0), (0, 2)])
def test_offset_deltas_count_from_zero(deltas: tuple[int, ...], codec: Codec) -> None:
    # kstream differs: Kafka stores uncompressed ones, so that records have each other's offsets, and answers
    # UNKNOWN_SERVER_ERROR to compressed ones.
    payload = b"".join(record(offset_delta=delta) for delta in deltas)
    error = refusal(around(payload, codec, len(deltas)))
    assert error.code is ErrorCode.INVALID_RECORD


@both
def test_fewer_records_than_the_header_says(codec: Codec) -> None:
    assert refusal(around(record() + record(0, 1), codec, 3)).code is ErrorCode.INVALID_RECORD
    assert refusal(around(record(), codec, 2**31 - 1)).code is ErrorCode.INVALID_RECORD


@both
@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(bytes([18, 0, 0, 0, 1, 1, 2, 2, 0xFF, 1]), id="header key is not UTF-8"),
        pytest.param(bytes([12, 0, 0, 0, 1, 7, 0]), id="value of length -4 is null"),
        pytest.param(bytes([16, 0, 0x80, 0, 0, 0x81, 0, 1, 0]), id="varints longer than they need be"),
        pytest.param(b"\x10\xff" + K_V[2:], id="attributes of the record"),
    ],
)
def test_odd_records_that_kafka_takes(payload: bytes, codec: Codec) -> None:
    batch = around(payload, codec)
    assert checked(batch) == NOW_MS
    assert len(list(iter_records(batch))) == 1


def test_large_records_and_many() -> None:
    sizes = [0, 1, 62, 63, 64, 65, 8190, 8191, 8192, 8193, 70_000, 1_100_000]
    batch = build_batch(
        [(NOW_MS + size, b"k" * size, b"v" * size, [("h" * 100, b"x" * size)]) for size in sizes]
    )
    assert checked(batch, RecordRules(timestamp_after_max_ms=2**40)) == NOW_MS + sizes[-1]
    many = build_batch([(NOW_MS, None, b"")] * 20_000)
    assert checked(many) == NOW_MS


def test_timestamps_beyond_64_bits() -> None:
    batch = patched(
        build_batch([(NOW_MS, b"k", b"v"), (NOW_MS + 1, b"k", b"v")]), base_timestamp_ms=2**63 - 1
    )
    error = refusal(batch, RecordRules(timestamp_after_max_ms=2**63 - 1))
    assert error.code is ErrorCode.INVALID_RECORD


# -- compression


@pytest.mark.parametrize("codec", [5, 6, 7])
def test_unknown_codecs(codec: int) -> None:
    # kstream differs: Kafka answers UNKNOWN_SERVER_ERROR, for want of a handler.
    error = refusal(batch_of(K_V, attributes=codec))
    assert error.code is ErrorCode.UNSUPPORTED_COMPRESSION_TYPE


@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.SNAPPY, Codec.LZ4, Codec.ZSTD])
def test_streams_that_do_not_decompress(codec: Codec) -> None:
    # kstream differs: Kafka answers UNKNOWN_SERVER_ERROR to most of these.
    stream = compress(codec, K_V)
    for broken in (b"", b"\x55" * 40, stream[:-3], stream[: len(stream) // 2]):
        assert refusal(batch_of(broken, attributes=codec)).code is ErrorCode.INVALID_RECORD


@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.SNAPPY, Codec.LZ4, Codec.ZSTD])
def test_a_bomb_is_too_large(codec: Codec) -> None:
    # kstream differs: Kafka has no limit.
    batch = build_batch([(NOW_MS, b"k", bytes(1 << 20))], codec=codec)
    error = refusal(batch, RecordRules(decompressed_size_bytes_max=1 << 20))
    assert error.code is ErrorCode.MESSAGE_TOO_LARGE
    assert checked(batch, RecordRules(decompressed_size_bytes_max=(1 << 20) + 100)) == NOW_MS


@pytest.mark.parametrize("codec", Codec)
def test_max_decompressed_message_bytes_is_for_single_records_of_compressed_batches(codec: Codec) -> None:
    rules = RecordRules(record_size_bytes_max=1000)
    fits = build_batch([(NOW_MS, b"k", b"v" * 992)] * 5, codec=codec)
    assert checked(fits, rules) == NOW_MS
    too_large = build_batch([(NOW_MS, b"k", b"v" * 993)], codec=codec)
    if codec is Codec.NONE:
        assert checked(too_large, rules) == NOW_MS
    else:
        assert refusal(too_large, rules).code is ErrorCode.INVALID_RECORD


# -- when the header is enough


@pytest.mark.parametrize(
    ("rules", "fields", "expected"),
    [
        (RecordRules(), {}, False),
        (COMPACTED, {}, True),
        (LOG_APPEND_TIME, {}, False),
        (LOG_APPEND_TIME, {"attributes": 8}, True),
        (RecordRules(), {"attributes": 8}, True),
        (RecordRules(), {"max_timestamp_ms": NOW_MS + HOUR_MS}, False),
        (RecordRules(), {"max_timestamp_ms": NOW_MS + HOUR_MS + 1}, True),
        (RecordRules(), {"base_timestamp_ms": NOW_MS + HOUR_MS + 1}, True),
        (WITHIN_A_SECOND, {"base_timestamp_ms": NOW_MS - 1001}, True),
        (LOG_APPEND_TIME, {"base_timestamp_ms": 0, "max_timestamp_ms": 0}, False),
        (RecordRules(record_size_bytes_max=1000), {}, False),
        (RecordRules(record_size_bytes_max=1000), {"attributes": 1}, True),
        (RecordRules(), {"attributes": 1}, False),
    ],
)
def test_when_the_records_must_be_looked_at(
    rules: RecordRules, fields: dict[str, int], expected: bool
) -> None:
    header = read_header(patched(build_batch([(NOW_MS, b"k", b"v")]), **fields))
    assert must_check_records(header, rules, NOW_MS) is expected
