"""Snapshots of the metadata (KIP-630): the image at one offset, so that the log before it can go.

`<end offset>-<epoch>.checkpoint`, 20 and 10 digits, beside the log's segments. Record batches, with offsets
from 0 on: a control batch with the snapshot's header, batches of metadata records, a control batch with its
footer.

Crash policy: written beside, synced, renamed, and the directory synced, before anything that it replaces
goes. One that does not end in a footer, or fails a CRC, is passed over for the one before it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from kstream.broker.metadata.replay import MetadataFault
from kstream.log.checkpoints import replace_file
from kstream.records.batch import check_crc, iter_headers
from kstream.records.builder import build_batch
from kstream.records.control import quorum_batch, read_quorum_record
from kstream.records.errors import CorruptBatch
from kstream.records.metadata import decode_metadata, encode_metadata
from kstream.records.record import iter_records
from kstream.records.schemas.control import SnapshotFooterRecord, SnapshotHeaderRecord
from kstream.wire.schema import Message

log = logging.getLogger(__name__)

_NAME = re.compile(r"([0-9]{20})-([0-9]{10})\.checkpoint")
_UNFINISHED = re.compile(r"[0-9]{20}-[0-9]{10}.*\.checkpoint\.(part|deleted)")
_FORMATTED = ("bootstrap.checkpoint", f"{0:020d}-{0:010d}.checkpoint")
_BATCH_RECORDS = 1000


class SnapshotFile(NamedTuple):
    """A snapshot by its name."""

    end_offset: int
    """It has everything below."""
    epoch: int
    """The leader epoch of the last record in it."""
    path: Path


class Snapshot(NamedTuple):
    """What a snapshot holds."""

    records: list[Message]
    last_timestamp_ms: int
    """When the last record in it was written to the log."""


def snapshot_files(directory: Path) -> list[SnapshotFile]:
    """The snapshots in the metadata log's directory, oldest first. Raises OSError."""
    found = [(_NAME.fullmatch(path.name), path) for path in directory.iterdir()]
    return sorted(SnapshotFile(int(name[1]), int(name[2]), path) for name, path in found if name)


def remove_unfinished(directory: Path) -> None:
    """Unlink what Apache Kafka had not finished writing or deleting. Raises OSError."""
    for path in directory.iterdir():
        if _UNFINISHED.fullmatch(path.name):
            path.unlink()


def write_snapshot(
    directory: Path,
    records: Iterable[Message],
    *,
    end_offset: int,
    epoch: int,
    last_timestamp_ms: int,
    now_ms: int,
) -> SnapshotFile:
    """Write a snapshot; the caller syncs the directory. Blocks. Raises OSError."""
    header = SnapshotHeaderRecord(version=0, last_contained_log_timestamp=last_timestamp_ms)
    pieces = [quorum_batch(header, timestamp_ms=now_ms, partition_leader_epoch=epoch)]
    rows = [(now_ms, None, encode_metadata(record, type(record).VERSIONS.last)) for record in records]
    for start in range(0, len(rows), _BATCH_RECORDS):
        batch = rows[start : start + _BATCH_RECORDS]
        pieces.append(build_batch(batch, base_offset=1 + start, partition_leader_epoch=epoch))
    pieces.append(
        quorum_batch(
            SnapshotFooterRecord(version=0),
            timestamp_ms=now_ms,
            base_offset=1 + len(rows),
            partition_leader_epoch=epoch,
        )
    )
    path = directory / f"{end_offset:020d}-{epoch:010d}.checkpoint"
    replace_file(path, b"".join(pieces), sync=True)
    return SnapshotFile(end_offset, epoch, path)


def read_snapshot(path: Path) -> Snapshot:
    """Read a snapshot whole. Blocks.

    Raises:
        MetadataFault: it is damaged, or has no end.
        OSError.
    """
    content = path.read_bytes()
    records: list[Message] = []
    first: Message | None = None
    last: Message | None = None
    position = 0
    try:
        for header in iter_headers(content):
            check_crc(content, position, header.size_bytes)
            for record in iter_records(content, position, header=header):
                last = read_quorum_record(record) if header.is_control else None
                first = first or last
                if not header.is_control:
                    records.append(decode_metadata(record.value).message)
            position += header.size_bytes
    except CorruptBatch as fault:
        raise MetadataFault(f"{path}: {fault}") from fault
    if not isinstance(first, SnapshotHeaderRecord) or not isinstance(last, SnapshotFooterRecord):
        raise MetadataFault(f"{path} is no whole snapshot")
    return Snapshot(records, first.last_contained_log_timestamp)


def formatted_records(*directories: Path) -> list[Message]:
    """What `kafka-storage format` wrote for a log that is still empty: feature levels, SCRAM users.

    Raises MetadataFault, OSError.
    """
    for directory in directories:
        for name in _FORMATTED:
            if (directory / name).exists():
                return read_snapshot(directory / name).records
    return []


def outlived(
    files: list[SnapshotFile], log_bytes: int, *, log_start_offset: int, bytes_max: int, before_ms: int
) -> int:
    """How many snapshots, from the oldest, retention lets go; the newest always stays. Blocks.

    `bytes_max` is for log and snapshots together; snapshots of a time below `before_ms` are too old; a
    negative value is no limit. A snapshot from before the log's start was let go already.
    """
    total_bytes = log_bytes + sum(file.path.stat().st_size for file in files)
    count = 0
    for file in files[:-1]:
        is_surplus = 0 <= bytes_max < total_bytes
        is_gone = file.end_offset < log_start_offset
        if not is_gone and not is_surplus and not 0 <= _timestamp_ms(file) < before_ms:
            break
        total_bytes -= file.path.stat().st_size
        count += 1
    return count


def _timestamp_ms(file: SnapshotFile) -> int:
    try:
        return read_snapshot(file.path).last_timestamp_ms
    except MetadataFault as fault:
        log.warning("a snapshot of the metadata is of no use: %s", fault)
        return 0
