"""`<offset>.snapshot`: the producer state up to an offset, so that opening a log replays only what follows.

int16 version (1), then a `ProducerSnapshot`: uint32 CRC-32C of everything behind it, and the entries. Of each
producer only the last batch is kept.

Crash policy: written at a roll and at a clean close, all or nothing; one that is missing or corrupt is passed
over for the next older one and a longer replay.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from crc32c import crc32c

from kstream.errors import KstreamError, ProtocolError
from kstream.log.checkpoints import replace_file
from kstream.log.producers import SEQUENCE_MASK, BatchMetadata, ProducerEntry
from kstream.records.schemas import storage
from kstream.wire.codec import decode, encode

SUFFIX = ".snapshot"
_VERSION = 1
_FRONT = struct.Struct(">hI")


class CorruptSnapshot(KstreamError):
    """The file is not a producer snapshot; pass it over."""


def snapshot_path(directory: Path, offset: int) -> Path:
    return directory / f"{offset:020d}{SUFFIX}"


def snapshot_offset(path: Path) -> int:
    """The offset up to which a snapshot goes. ValueError if the name is none."""
    return int(path.name.removesuffix(SUFFIX))


def write_snapshot(path: Path, entries: Iterable[ProducerEntry]) -> None:
    """Write a snapshot. Raises OSError."""
    message = storage.ProducerSnapshot(crc=0, producer_entries=[_to_file(entry) for entry in entries])
    body = encode(message, _VERSION)[4:]  # behind the CRC
    replace_file(path, _FRONT.pack(_VERSION, crc32c(body)) + body, sync=False)


def read_snapshot(path: Path) -> list[ProducerEntry]:
    """The entries of a snapshot.

    Raises CorruptSnapshot for another version, a wrong CRC or a body that does not parse, OSError.
    """
    content = path.read_bytes()
    if len(content) < _FRONT.size:
        raise CorruptSnapshot(f"{path} is cut short")
    version, crc = _FRONT.unpack_from(content)
    if version != _VERSION:
        raise CorruptSnapshot(f"{path} has version {version}")
    if crc32c(memoryview(content)[_FRONT.size :]) != crc:
        raise CorruptSnapshot(f"{path} has a wrong CRC")
    try:
        message = decode(storage.ProducerSnapshot, content, _VERSION, offset=2)
    except ProtocolError as error:
        raise CorruptSnapshot(f"{path}: {error}") from error
    return [_from_file(entry) for entry in message.producer_entries]


def _to_file(entry: ProducerEntry) -> storage.ProducerEntry:
    last = entry.batches[-1] if entry.batches else None
    return storage.ProducerEntry(
        producer_id=entry.producer_id,
        epoch=entry.epoch,
        last_sequence=-1 if last is None else last.last_sequence,
        last_offset=-1 if last is None else last.last_offset,
        offset_delta=0 if last is None else last.last_offset - last.first_offset,
        timestamp=entry.last_timestamp_ms,
        coordinator_epoch=entry.coordinator_epoch,
        current_txn_first_offset=-1 if entry.txn_first_offset is None else entry.txn_first_offset,
    )


def _from_file(stored: storage.ProducerEntry) -> ProducerEntry:
    entry = ProducerEntry(stored.producer_id, stored.epoch)
    entry.last_timestamp_ms = stored.timestamp
    entry.coordinator_epoch = stored.coordinator_epoch
    if stored.current_txn_first_offset >= 0:
        entry.txn_first_offset = stored.current_txn_first_offset
    if stored.last_offset >= 0:
        last_sequence = stored.last_sequence
        first_sequence = (last_sequence - stored.offset_delta) & SEQUENCE_MASK if last_sequence >= 0 else -1
        entry.batches.append(
            BatchMetadata(
                first_sequence,
                last_sequence,
                stored.last_offset - stored.offset_delta,
                stored.last_offset,
                stored.timestamp,
            )
        )
    return entry
