"""Control batches: what brokers write for themselves into the logs of clients and of the quorum.

A control record's key is an int16 version, 0, and an int16 type; the value is the type's own. In a
partition they end transactions (KIP-98): version int16, coordinator epoch int32. In `__cluster_metadata`
and its snapshots they carry leader changes, voters and the marks around a snapshot (KIP-595, KIP-630,
KIP-853), as declared in `schemas.control`. Readers pass over types that they do not know.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from kstream.errors import ProtocolError
from kstream.records.batch import CODEC_MASK, HEADER_SIZE, NO_LEADER_EPOCH, BatchHeader
from kstream.records.builder import build_batch
from kstream.records.compression import Buffer
from kstream.records.errors import CorruptBatch
from kstream.records.record import Record, iter_records
from kstream.records.schemas.control import (
    KRaftVersionRecord,
    LeaderChangeMessage,
    SnapshotFooterRecord,
    SnapshotHeaderRecord,
    VotersRecord,
)
from kstream.wire.codec import decode, encode
from kstream.wire.schema import Message

_KEY = struct.Struct(">hh")
_END_TXN = struct.Struct(">hi")
_USUAL = struct.Struct(">5shhBhiB")
"""The record of a marker as everybody writes it: up to its key, key, size of its value, value, headers."""

_USUAL_START = bytes((2 * (_USUAL.size - 1), 0, 0, 0, 2 * _KEY.size))
_USUAL_VALUE_SIZE = 2 * _END_TXN.size


class ControlType(IntEnum):
    """The second int16 of a control record's key."""

    ABORT = 0
    COMMIT = 1
    LEADER_CHANGE = 2
    SNAPSHOT_HEADER = 3
    SNAPSHOT_FOOTER = 4
    KRAFT_VERSION = 5
    KRAFT_VOTERS = 6


class EndTxnMarker(NamedTuple):
    """How a producer's transaction ended in this partition."""

    is_commit: bool
    coordinator_epoch: int


QUORUM_BODIES: dict[ControlType, type[Message]] = {
    ControlType.LEADER_CHANGE: LeaderChangeMessage,
    ControlType.SNAPSHOT_HEADER: SnapshotHeaderRecord,
    ControlType.SNAPSHOT_FOOTER: SnapshotFooterRecord,
    ControlType.KRAFT_VERSION: KRaftVersionRecord,
    ControlType.KRAFT_VOTERS: VotersRecord,
}
"""What the quorum's control records carry. All are written in version 0, also where the schema has a
later one.
"""

_TYPES = {body: control_type for control_type, body in QUORUM_BODIES.items()}


def control_type(key: bytes | None) -> ControlType | None:
    """The type that a control record's key names; None for one that is not known here.

    Raises `CorruptBatch` for what is no control record's key.
    """
    if key is None or len(key) < _KEY.size:
        raise CorruptBatch("control record has no type")
    version, number = _KEY.unpack_from(key)
    if version < 0:
        raise CorruptBatch(f"control record key has version {version}")
    try:
        return ControlType(number)
    except ValueError:
        return None


def end_txn_batch(
    *,
    is_commit: bool,
    producer_id: int,
    producer_epoch: int,
    coordinator_epoch: int,
    timestamp_ms: int,
    base_offset: int = 0,
    partition_leader_epoch: int = NO_LEADER_EPOCH,
) -> bytes:
    """The marker that ends a producer's transaction in one partition."""
    key = _KEY.pack(0, ControlType.COMMIT if is_commit else ControlType.ABORT)
    return build_batch(
        [(timestamp_ms, key, _END_TXN.pack(0, coordinator_epoch))],
        base_offset=base_offset,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        is_transactional=True,
        is_control=True,
        partition_leader_epoch=partition_leader_epoch,
    )


def read_end_txn_marker(
    buffer: Buffer, position: int = 0, *, header: BatchHeader | None = None
) -> EndTxnMarker | None:
    """The transaction's end that the control batch at `position` says; None for control batches of
    another type.

    Later versions of the value only append to it. Raises `CorruptBatch`.
    """
    if header is not None:
        usual = _read_usual_marker(buffer, position, header)
        if usual is not None:
            return usual
    record = next(iter_records(buffer, position, header=header), None)
    if record is None:
        return None
    kind = control_type(record.key)
    if kind is not ControlType.COMMIT and kind is not ControlType.ABORT:
        return None
    if record.value is None or len(record.value) < _END_TXN.size:
        raise CorruptBatch("transaction marker is cut short")
    version, coordinator_epoch = _END_TXN.unpack_from(record.value)
    if version < 0:
        raise CorruptBatch(f"transaction marker has version {version}")
    return EndTxnMarker(kind is ControlType.COMMIT, coordinator_epoch)


def _read_usual_marker(buffer: Buffer, position: int, header: BatchHeader) -> EndTxnMarker | None:
    """A marker as all brokers write it, without a look at each of its fields: a log may have millions of them
    to read at its start. None for anything else.
    """
    if (
        header.size_bytes != HEADER_SIZE + _USUAL.size
        or header.record_count != 1
        or header.attributes & CODEC_MASK
        or len(buffer) < position + header.size_bytes
    ):
        return None
    start, key_version, number, size, version, coordinator_epoch, headers = _USUAL.unpack_from(
        buffer, position + HEADER_SIZE
    )
    if (start, key_version, size, version, headers) != (_USUAL_START, 0, _USUAL_VALUE_SIZE, 0, 0):
        return None
    if number not in (ControlType.ABORT, ControlType.COMMIT):
        return None
    return EndTxnMarker(number == ControlType.COMMIT, coordinator_epoch)


def quorum_batch(
    *bodies: Message,
    timestamp_ms: int,
    base_offset: int = 0,
    partition_leader_epoch: int = NO_LEADER_EPOCH,
) -> bytes:
    """A control batch of `__cluster_metadata` or of a snapshot; the bodies are of `QUORUM_BODIES`."""
    return build_batch(
        [(timestamp_ms, _KEY.pack(0, _TYPES[type(body)]), encode(body, 0)) for body in bodies],
        base_offset=base_offset,
        is_control=True,
        partition_leader_epoch=partition_leader_epoch,
    )


def read_quorum_record(record: Record) -> Message | None:
    """The body of a control record of the quorum; None for other types. Raises `CorruptBatch`."""
    kind = control_type(record.key)
    body = None if kind is None else QUORUM_BODIES.get(kind)
    if body is None:
        return None
    if record.value is None:
        raise CorruptBatch("control record has no value")
    try:
        return decode(body, record.value, 0)
    except ProtocolError as error:
        raise CorruptBatch(f"control record: {error}") from None
