"""Batches that compaction looks at together, so that many small ones cost what one large one does."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kstream.records.batch import BatchHeader
from kstream.records.columns import Flags, Integers, RecordColumns, read_columns

_CHUNK_BYTES = 128 * 1024


class ChunkBatch(NamedTuple):
    """A batch, where it is, and what is known of it from what came before."""

    header: BatchHeader
    buffer: bytes
    position: int
    offset_before: int
    """The last offset of the batch before it."""
    is_spent: bool = False
    """Whether it is a marker, and no batch of its transaction is left."""


class Chunk:
    """Batches one behind the other; `read` gives the rows of all, in which `bounds` tell whose they are."""

    __slots__ = ("_counts", "_payloads", "batches", "payload_bytes", "read_bytes")

    def __init__(self) -> None:
        self.batches: list[ChunkBatch] = []
        self._payloads: list[bytes] = []
        self._counts: list[int] = []
        self.payload_bytes = self.read_bytes = 0

    @property
    def is_full(self) -> bool:
        return self.payload_bytes >= _CHUNK_BYTES or self.read_bytes >= _CHUNK_BYTES

    def add(self, batch: ChunkBatch, payload: bytes | None) -> None:
        """`payload` are its records, None if they do not count any more."""
        self.batches.append(batch)
        self._payloads.append(payload or b"")
        self._counts.append(0 if payload is None else batch.header.record_count)
        self.payload_bytes += len(self._payloads[-1])
        self.read_bytes += batch.header.size_bytes

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
