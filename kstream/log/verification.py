"""Checking a segment batch by batch after an unclean stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kstream.log.asides import keep_aside
from kstream.log.checked_batches import CheckedBatches
from kstream.log.config import INDEX_INTERVAL_BYTES
from kstream.log.replay import Replay
from kstream.log.segment import RELATIVE_OFFSET_MAX, Segment
from kstream.log.txn_index import TransactionIndex
from kstream.records.batch import BatchHeader
from kstream.records.errors import CorruptBatch


class Verified(NamedTuple):
    """The good front of a segment."""

    next_offset: int
    epochs: list[tuple[int, int]]
    """(leader epoch, first offset), one for each change."""


def verify_segment(
    segment: Segment,
    replay: Replay,
    before_cut: Callable[[int], None],
    on_checked: Callable[[int], None] | None = None,
    *,
    keeps_reserve: bool = False,
) -> Verified:
    """Check every batch of a segment, end it at the first bad one, and rebuild its indexes. `replay` is told
    of the good ones on the way, so that they are read once.

    `before_cut(next_offset)` is called when more than the good front is there, be it zeros, and before that
    goes: until it returned, a start that comes after a crash finds the same. `on_checked` is told of every
    piece. With `keeps_reserve`, zeros stay where they are: the segment is written on, into space that it has,
    and cutting a file costs more than all the rest of checking a small one.

    Raises OSError.
    """
    file = segment.file
    file_bytes = segment.size_bytes
    base_offset = next_offset = segment.base_offset
    epochs: list[tuple[int, int]] = []
    last_epoch: int | None = None
    segment.begin_indexes()
    txn_index = TransactionIndex(segment.txn_index.path, is_new=True)
    batches = CheckedBatches(file, file_bytes, on_checked)
    position = 0
    reason = ""
    while position < file_bytes:
        try:
            header = batches.header()
            _check_offsets(header, base_offset, next_offset)
            buffer, at = batches.check(header)
        except CorruptBatch as error:
            reason = str(error)
            break
        if header.partition_leader_epoch != last_epoch:
            last_epoch = header.partition_leader_epoch
            epochs.append((last_epoch, header.base_offset))
        last_offset = header.base_offset + header.last_offset_delta
        end = batches.position
        segment.note_batch(
            last_offset, header.max_timestamp_ms, position, end - position, INDEX_INTERVAL_BYTES
        )
        if header.producer_id >= 0 and (aborted := replay.add(header, buffer, at)):
            txn_index.extend(aborted)
        next_offset = last_offset + 1
        position = end
    if position < file_bytes:
        before_cut(next_offset)
        keeps_reserve &= not keep_aside(segment.path, file, position, file_bytes, reason)
    segment.size_bytes = position
    if not keeps_reserve:
        file.cut(position)
    segment.end_indexes()
    segment.txn_index.replace(txn_index, segment.platform)
    return Verified(next_offset, epochs)


def _check_offsets(header: BatchHeader, base_offset: int, next_offset: int) -> None:
    """Raises CorruptBatch unless the batch may follow, in a segment with that base offset."""
    first_offset, delta = header.base_offset, header.last_offset_delta
    if first_offset < next_offset or delta < 0:
        raise CorruptBatch(f"record batch has offset {first_offset} where {next_offset} is next")
    if first_offset + delta - base_offset > RELATIVE_OFFSET_MAX:
        raise CorruptBatch(f"record batch has offset {first_offset + delta}, too far from {base_offset}")
