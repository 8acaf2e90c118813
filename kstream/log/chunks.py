"""Batches that compaction opens together, so that many small ones cost what one large one does."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kstream.records.batch import BatchHeader, check_crc
from kstream.records.columns import Flags, Integers, RecordColumns, read_columns
from kstream.records.record import records_payload

CHUNK_BYTES = 128 * 1024


class ChunkBatch(NamedTuple):
    """A batch, where it is, and what is known of it from what came before."""

    header: BatchHeader
    buffer: bytes
    position: int
    offset_before: int = -1
    """The last offset of the batch before it."""
    is_gone: bool = False
    """Whether nothing of it stays, whatever the map says."""
    is_spent: bool = False
    """Whether it is a marker, and no batch of its transaction is left."""


class Chunk:
    """Batches one behind the other; `read` gives the rows of all, in which `bounds` tell whose they are."""

    __slots__ = ("_counts", "_payload_bytes_max", "_payloads", "_size_bytes", "batches")

    def __init__(self, payload_bytes_max: int) -> None:
        """No batch may have more records than that, decompressed."""
        self._payload_bytes_max = payload_bytes_max
        self.batches: list[ChunkBatch] = []
        self._payloads: list[bytes] = []
        self._counts: list[int] = []
        self._size_bytes = 0

    @property
    def is_full(self) -> bool:
        return self._size_bytes >= CHUNK_BYTES

    def add(self, batch: ChunkBatch) -> None:
        """Raises CorruptBatch."""
        header = batch.header
        check_crc(batch.buffer, batch.position, header.size_bytes)
        payload = b""
        if header.record_count:
            payload = records_payload(batch.buffer, header, batch.position, self._payload_bytes_max)
        self.batches.append(batch)
        self._payloads.append(payload)
        self._counts.append(header.record_count)
        self._size_bytes += max(len(payload), header.size_bytes)

    def read(self, pause: Callable[[int], None]) -> RecordColumns:
        """Raises CorruptBatch."""
        return read_columns(self._payloads, self._counts, pause)

    @property
    def bounds(self) -> Integers:
        """The first row of each batch, and the number of all rows."""
        return np.cumsum([0, *self._counts])

    def offsets(self, records: RecordColumns) -> Integers:
        """The offset of each row."""
        bases = np.array([batch.header.base_offset for batch in self.batches], np.int64)
        return np.repeat(bases, self._counts) + records.offset_deltas

    def each_row(self, flags: list[bool]) -> Flags:
        """Flags of batches as flags of their rows."""
        return np.repeat(np.array(flags, np.bool_), self._counts)
