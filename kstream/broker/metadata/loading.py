"""From what is on the disk to an image: the newest snapshot that can be read, and then the log behind it.

Records between BeginTransactionRecord and EndTransactionRecord (KIP-868) count only together; if the log
ends between them, or AbortTransactionRecord does, none of them does.
"""

from __future__ import annotations

import logging

from kstream.broker.metadata.delta import MetadataDelta
from kstream.broker.metadata.image import MetadataImage
from kstream.broker.metadata.replay import MetadataFault, replay
from kstream.broker.metadata.snapshots import read_snapshot, snapshot_files
from kstream.log.partition import PartitionLog
from kstream.records.batch import iter_headers
from kstream.records.metadata import decode_metadata
from kstream.records.record import iter_records
from kstream.records.schemas.metadata import (
    AbortTransactionRecord,
    BeginTransactionRecord,
    EndTransactionRecord,
)
from kstream.wire.schema import Message

_log = logging.getLogger(__name__)

_READ_BYTES = 1024 * 1024


class Loader:
    """Fills an image; `load` does all of it."""

    def __init__(self) -> None:
        self.image = MetadataImage()
        self.delta = MetadataDelta()
        """Everything that was loaded, as one change."""
        self.leader_epoch = 0
        """The latest epoch that was seen."""
        self.last_timestamp_ms = -1
        """When the last record was written."""
        self.size_bytes = 0
        """Of the batches behind the snapshot."""
        self._open_transaction: list[Message] | None = None

    @property
    def is_in_transaction(self) -> bool:
        """Whether the log ends in a transaction, which somebody has to abort."""
        return self._open_transaction is not None

    def load(self, log: PartitionLog, now_ms: int) -> None:
        """Load snapshot and log. Blocks.

        Raises:
            MetadataFault, CorruptBatch: the records make no sense, or a part of them is missing.
            OSError, LogStorageError.
        """
        offset = self._load_snapshot(log)
        if offset < log.log_start_offset:
            raise MetadataFault(
                f"{log.directory} begins at offset {log.log_start_offset},"
                " and no snapshot has what was before: restore one from a copy of the directory"
            )
        if offset > log.end_offset:
            # What a recovery cut off is in the snapshot. Offsets must not be given again.
            _log.warning("the metadata log ended before its snapshot; it goes on from offset %d", offset)
            log.start_anew(offset, now_ms)
        while offset < log.end_offset:
            found = log.read(offset, _READ_BYTES, end_offset=log.end_offset)
            offset = self._load_batches(found.view(), from_offset=offset)
            found.release()
        self.image.offset = offset - 1

    def _load_snapshot(self, log: PartitionLog) -> int:
        """Load the newest snapshot that is of use; return the offset behind it, or 0 without any."""
        for file in reversed(snapshot_files(log.directory)):
            if not file.end_offset:
                continue  # what formatting a directory left, for a log that is empty
            try:
                snapshot = read_snapshot(file.path)
            except MetadataFault as fault:
                _log.error("a snapshot of the metadata is of no use: %s", fault)
                continue
            for record in snapshot.records:
                self.add(record)
            self.leader_epoch = max(self.leader_epoch, file.epoch)
            self.last_timestamp_ms = snapshot.last_timestamp_ms
            return file.end_offset
        return 0

    def _load_batches(self, view: memoryview, *, from_offset: int) -> int:
        """Load whole batches, without records below `from_offset`; return the offset behind the last."""
        position = 0
        next_offset = from_offset
        for header in iter_headers(view, partial_ok=True):
            if not header.is_control:
                for record in iter_records(view, position, header=header):
                    if record.offset >= from_offset:
                        self.add(decode_metadata(record.value).message)
            position += header.size_bytes
            self.size_bytes += header.size_bytes
            self.last_timestamp_ms = header.max_timestamp_ms
            next_offset = header.next_offset
            self.leader_epoch = max(self.leader_epoch, header.partition_leader_epoch)
        return next_offset

    def add(self, record: Message) -> None:
        """Take the next record: now, or when its transaction ends."""
        if isinstance(record, BeginTransactionRecord):
            self._open_transaction = []
        elif isinstance(record, AbortTransactionRecord):
            self._open_transaction = None
        elif isinstance(record, EndTransactionRecord):
            for kept in self._open_transaction or ():
                replay(self.image, kept, self.delta)
            self._open_transaction = None
        elif self._open_transaction is not None:
            self._open_transaction.append(record)
        else:
            replay(self.image, record, self.delta)
