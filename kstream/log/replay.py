"""Producer state at opening: the newest usable snapshot, and the batches behind it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from kstream.log.analysis import Analysis, Origin
from kstream.log.config import LogConfig
from kstream.log.producers import ProducerState
from kstream.log.segment import Segment
from kstream.log.snapshots import SUFFIX, CorruptSnapshot, read_snapshot, snapshot_offset
from kstream.records.batch import BatchHeader, read_header

_log = logging.getLogger(__name__)


class Loaded(NamedTuple):
    """Producer state, and the snapshot that it began with (-1: none)."""

    state: ProducerState
    snapshot_offset: int


def load_producers(
    directory: Path,
    segments: Sequence[Segment],
    end_offset: int,
    config: LogConfig,
    now_ms: int,
    *,
    recovered_from: int | None = None,
) -> Loaded:
    """The producer state at `end_offset`, from all batches that are there, also those before the log's start:
    what a producer sent last may stand there, and a snapshot from before it knows less.

    With `recovered_from`, the segments from that base offset were recovered: the transactions that end in
    them are entered into their transaction indexes, which the caller has cleared.

    Snapshots behind the end, before the oldest segment, and corrupt ones are deleted. Raises OSError.
    """
    limit = end_offset if recovered_from is None else recovered_from
    state = ProducerState()
    begin = -1
    for path in _newest_first(directory):
        offset = snapshot_offset(path)
        if not segments[0].base_offset <= offset <= end_offset:
            path.unlink()
        elif offset <= limit and begin < 0:
            try:
                state.load(read_snapshot(path))
                begin = offset
            except CorruptSnapshot as reason:
                _log.warning("passing over a producer snapshot: %s", reason)
                path.unlink()
    for number, segment in enumerate(segments):
        if number + 1 < len(segments) and segments[number + 1].base_offset <= begin:
            continue
        into_index = recovered_from is not None and segment.base_offset >= recovered_from
        for header, position in headers_from(segment, max(begin, segment.base_offset)):
            if header.producer_id < 0:
                continue
            analysis = Analysis(state, Origin.REPLICATION)
            analysis.add(header, header.base_offset, segment.file.mapping(segment.size_bytes), position)
            aborted = analysis.commit()
            if aborted and into_index:
                segment.txn_index.extend(aborted)
            if header.is_control:
                # All that is here is replicated. Said only at the end, it would be a million to go through.
                state.on_high_watermark(header.next_offset)
        segment.txn_index.flush()
    state.on_high_watermark(end_offset)
    state.expire(now_ms, config.producer_id_expiration_ms)
    return Loaded(state, begin)


def headers_from(segment: Segment, offset: int) -> Iterator[tuple[BatchHeader, int]]:
    """Headers and positions of the batches that end at or behind `offset`."""
    end = segment.size_bytes
    position = segment.locate(offset)
    while position < end:
        header = read_header(segment.file.mapping(end), position)
        yield header, position
        position += header.size_bytes


def _newest_first(directory: Path) -> list[Path]:
    names = [name for name in os.listdir(directory) if name.endswith(SUFFIX) and name[0].isdecimal()]
    return [directory / name for name in sorted(names, reverse=True)]
