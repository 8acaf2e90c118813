"""Control batches, byte for byte as Apache Kafka 4.4.0's library writes them."""

from __future__ import annotations

import pytest

from kstream.records.batch import HEADER_SIZE, BatchHeader, CorruptBatch, check_crc, read_header
from kstream.records.builder import build_batch
from kstream.records.control import (
    ControlType,
    EndTxnMarker,
    control_type,
    end_txn_batch,
    quorum_batch,
    read_end_txn_marker,
    read_quorum_record,
)
from kstream.records.record import Record, iter_records
from kstream.records.schemas.control import (
    KRaftVersionFeature,
    KRaftVersionRecord,
    LeaderChangeMessage,
    LeaderChangeMessageVoter,
    SnapshotFooterRecord,
    SnapshotHeaderRecord,
    VotersRecord,
    VotersRecordVoter,
)
from kstream.wire.schema import Message
from tests.records.strategies import NOW_MS

END_TXN = {
    False: "000000000000002a000000420000000502a1221dd60030000000000000018bcfe568000000018bcfe568000000000000"
    "0023280003ffffffff000000012000000008000000000c00000000001100",
    True: "000000000000002a000000420000000502551ccb9e0030000000000000018bcfe568000000018bcfe568000000000000"
    "0023280003ffffffff000000012000000008000000010c00000000001100",
}

ONE = [LeaderChangeMessageVoter(voter_id=1)]
QUORUM: list[tuple[Message, int, str]] = [
    (
        LeaderChangeMessage(version=1, leader_id=1, voters=ONE, granting_voters=ONE),
        7,
        "00000000000000070000004f0000000302a86fa61e0020000000000000018bcfe568000000018bcfe56800ffffffffffffffff"
        "ffffffffffff000000013a0000000800000002260001000000010200000001000200000001000000",
    ),
    (
        SnapshotHeaderRecord(version=0, last_contained_log_timestamp=1_699_999_999_999),
        0,
        "0000000000000000000000470000000302b9ed88800020000000000000018bcfe568000000018bcfe56800ffffffffffffffff"
        "ffffffffffff000000012a00000008000000031600000000018bcfe567ff0000",
    ),
    (
        SnapshotFooterRecord(version=0),
        9,
        "00000000000000090000003f00000003028f6608e60020000000000000018bcfe568000000018bcfe56800ffffffffffffffff"
        "ffffffffffff000000011a00000008000000040600000000",
    ),
    (
        KRaftVersionRecord(version=0, kraft_version=1),
        1,
        "0000000000000001000000410000000302a89c55860020000000000000018bcfe568000000018bcfe56800ffffffffffffffff"
        "ffffffffffff000000011e00000008000000050a000000010000",
    ),
    (
        VotersRecord(
            version=0,
            voters=[
                VotersRecordVoter(
                    voter_id=1,
                    voter_directory_id=bytes([0] * 7 + [1] + [0] * 7 + [2]),
                    kraft_version_feature=KRaftVersionFeature(
                        min_supported_version=0, max_supported_version=1
                    ),
                )
            ],
        ),
        2,
        "00000000000000020000005b0000000302105c47690020000000000000018bcfe568000000018bcfe56800ffffffffffffffff"
        "ffffffffffff000000015200000008000000063e0000020000000100000000000000010000000000000002010000000100000000",
    ),
]


@pytest.mark.parametrize("is_commit", [False, True])
def test_transaction_markers(is_commit: bool) -> None:
    batch = end_txn_batch(
        is_commit=is_commit,
        producer_id=9000,
        producer_epoch=3,
        coordinator_epoch=17,
        timestamp_ms=NOW_MS,
        base_offset=42,
        partition_leader_epoch=5,
    )
    assert batch.hex() == END_TXN[is_commit]
    assert read_end_txn_marker(b"!" + batch, 1) == EndTxnMarker(is_commit, 17)
    assert read_end_txn_marker(batch, header=read_header(batch)) == EndTxnMarker(is_commit, 17)
    header = read_header(batch)
    assert header.is_control
    assert header.is_transactional


@pytest.mark.parametrize("at", range(HEADER_SIZE, HEADER_SIZE + 17))
def test_the_short_way_to_read_a_marker_is_taken_for_nothing_else(at: int) -> None:
    """With a header markers are read without their fields: the same comes out, whatever a byte of them is."""

    def read(batch: bytes, header: BatchHeader | None) -> EndTxnMarker | str | None:
        try:
            return read_end_txn_marker(batch, header=header)
        except CorruptBatch as error:
            return str(error)

    usual = bytearray(bytes.fromhex(END_TXN[True]))
    for value in range(256):
        usual[at] = value
        batch = bytes(usual)
        assert read(batch, read_header(batch)) == read(batch, None)


@pytest.mark.parametrize(
    ("body", "offset", "golden"), QUORUM, ids=[type(case[0]).__name__ for case in QUORUM]
)
def test_quorum_records(body: Message, offset: int, golden: str) -> None:
    batch = quorum_batch(body, timestamp_ms=NOW_MS, base_offset=offset, partition_leader_epoch=3)
    assert batch.hex() == golden
    check_crc(batch, 0, len(batch))
    (record,) = iter_records(batch)
    assert read_quorum_record(record) == body
    assert read_end_txn_marker(batch) is None


def test_several_in_one_batch_as_in_front_of_a_snapshot() -> None:
    bodies = [SnapshotHeaderRecord(), KRaftVersionRecord(kraft_version=1)]
    batch = quorum_batch(*bodies, timestamp_ms=NOW_MS)
    assert [read_quorum_record(record) for record in iter_records(batch)] == bodies


def test_types() -> None:
    assert control_type(b"\0\0\0\1") is ControlType.COMMIT
    assert control_type(b"\0\1\0\2 and more") is ControlType.LEADER_CHANGE
    assert control_type(b"\0\0\0\x09") is None
    for key in (None, b"", b"\0\0\0", b"\xff\xff\0\0"):
        with pytest.raises(CorruptBatch):
            control_type(key)


def test_unknown_types_are_passed_over() -> None:
    record = Record(0, NOW_MS, b"\0\0\0\x09", b"whatever")
    assert read_quorum_record(record) is None
    assert read_end_txn_marker(build_batch([record], is_control=True)) is None
    assert read_end_txn_marker(build_batch([], last_offset_delta=0, is_control=True)) is None


@pytest.mark.parametrize("value", [None, b"", b"\0\0\0\0\0", b"\xff\xff\0\0\0\0"])
def test_markers_without_their_value(value: bytes | None) -> None:
    with pytest.raises(CorruptBatch, match="marker"):
        read_end_txn_marker(build_batch([(NOW_MS, b"\0\0\0\1", value)], is_control=True))


def test_a_markers_value_may_grow() -> None:
    batch = build_batch([(NOW_MS, b"\0\0\0\0", b"\0\1\0\0\0\x05 more")], is_control=True)
    assert read_end_txn_marker(batch) == EndTxnMarker(False, 5)


@pytest.mark.parametrize("value", [None, b"", b"\0"])
def test_quorum_records_without_their_value(value: bytes | None) -> None:
    with pytest.raises(CorruptBatch, match="control record"):
        read_quorum_record(Record(0, NOW_MS, b"\0\0\0\2", value))
