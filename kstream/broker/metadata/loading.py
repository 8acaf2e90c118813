"""From what is on the disk to an image: the newest snapshot, if the log begins after offset 0, and then the
log.

A snapshot (KIP-630) is a file `<end offset>-<epoch>.checkpoint` beside the log's segments: record batches,
of which the first and last hold control records. kstream writes none yet, but opens what Apache Kafka left.

Records between BeginTransactionRecord and EndTransactionRecord (KIP-868) count only together; if the log
ends between them, or AbortTransactionRecord does, none of them does.
"""

from __future__ import annotations

import re
from pathlib import Path

from kstream.broker.metadata.delta import MetadataDelta
from kstream.broker.metadata.image import MetadataImage
from kstream.broker.metadata.replay import MetadataFault, replay
from kstream.log.partition import PartitionLog
from kstream.records.batch import check_crc, iter_headers
from kstream.records.metadata import decode_metadata
from kstream.records.record import iter_records
from kstream.records.schemas.metadata import (
    AbortTransactionRecord,
    BeginTransactionRecord,
    EndTransactionRecord,
)
from kstream.wire.schema import Message

_READ_BYTES = 1024 * 1024
_SNAPSHOT_NAME = re.compile(r"([0-9]{20})-([0-9]{10})\.checkpoint")


class Loader:
    """Fills an image; `load` does all of it."""

    def __init__(self) -> None:
        self.image = MetadataImage()
        self.delta = MetadataDelta()
        """Everything that was loaded, as one change."""
        self.leader_epoch = 0
        """The latest epoch that was seen."""
        self._open_transaction: list[Message] | None = None

    @property
    def is_in_transaction(self) -> bool:
        """Whether the log ends in a transaction, which somebody has to abort."""
        return self._open_transaction is not None

    def load(self, log: PartitionLog) -> None:
        """Load snapshot and log. Blocks.

        Raises:
            MetadataFault, CorruptBatch: the records make no sense, or a part of them is missing.
        """
        offset = log.log_start_offset
        if offset > 0:
            offset = self._load_snapshot(log)
        while offset < log.end_offset:
            found = log.read(offset, _READ_BYTES, end_offset=log.end_offset)
            offset = self._load_batches(found.view(), from_offset=offset)
            found.release()
        self.image.offset = offset - 1

    def _load_snapshot(self, log: PartitionLog) -> int:
        """Load the newest snapshot that the log continues; return the offset behind it."""
        candidates: list[tuple[int, int, Path]] = []
        for path in log.directory.iterdir():
            match = _SNAPSHOT_NAME.fullmatch(path.name)
            if match is not None and log.log_start_offset <= int(match[1]) <= log.end_offset:
                candidates.append((int(match[1]), int(match[2]), path))
        if not candidates:
            raise MetadataFault(
                f"the metadata log begins at offset {log.log_start_offset},"
                " and no snapshot has what was before"
            )
        end_offset, epoch, path = max(candidates)
        content = path.read_bytes()
        position = 0
        for header in iter_headers(content):
            check_crc(content, position, header.size_bytes)
            position += header.size_bytes
        self._load_batches(memoryview(content), from_offset=0)
        self.leader_epoch = max(self.leader_epoch, epoch)
        return end_offset

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
