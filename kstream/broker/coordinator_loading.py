"""Reading one partition of a coordinator's topic into a shard. Blocks: it runs in a thread."""

from __future__ import annotations

from collections.abc import Callable

from kstream.coordinator.codec import RecordDecoder
from kstream.coordinator.outcome import CoordinatorRecord
from kstream.coordinator.shard import Shard, TracksOffsets
from kstream.log.partition import PartitionLog
from kstream.records.batch import BatchHeader, iter_headers
from kstream.records.control import ControlType, control_type
from kstream.records.record import iter_records

_READ_BYTES = 4 * 1024 * 1024


def load_shard(log: PartitionLog, decoder: RecordDecoder, shard: Shard) -> int:
    """Replay the whole log; returns how many records of unknown kinds were passed over.

    Raises:
        OSError, LogStorageError: it cannot be read.
        CorruptBatch: its records make no sense.
    """
    offset, end_offset = log.log_start_offset, log.end_offset
    unknown = 0
    on_stored = shard.on_stored if isinstance(shard, TracksOffsets) else None
    while offset < end_offset:
        found = log.read(offset, _READ_BYTES, end_offset=end_offset)
        try:
            view = found.view()
            if not len(view):
                break
            position = 0
            for header in iter_headers(view, partial_ok=True):
                unknown += _replay_batch(view, position, header, decoder, shard, on_stored)
                position += header.size_bytes
                offset = header.next_offset
        finally:
            found.release()
    return unknown


def _replay_batch(
    view: memoryview,
    position: int,
    header: BatchHeader,
    decoder: RecordDecoder,
    shard: Shard,
    on_stored: Callable[[CoordinatorRecord, int, int], None] | None,
) -> int:
    if header.is_control:
        for record in iter_records(view, position, header=header):
            kind = control_type(record.key)
            if kind in (ControlType.COMMIT, ControlType.ABORT):
                shard.replay_end_transaction(header.producer_id, is_commit=kind is ControlType.COMMIT)
        return 0
    producer_id = header.producer_id if header.is_transactional else -1
    unknown = 0
    for record in iter_records(view, position, header=header):
        decoded = decoder.decode(record.key, record.value)
        if decoded is None:
            unknown += 1
            continue
        shard.replay(decoded, producer_id=producer_id)
        if on_stored is not None:
            on_stored(decoded, record.offset, record.timestamp_ms)
    return unknown
