"""Producer state at opening: the newest usable snapshot, and the batches behind it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from kstream.log.analysis import Analysis, Origin
from kstream.log.config import LogConfig
from kstream.log.producers import ProducerState
from kstream.log.segment import Segment
from kstream.log.snapshots import SUFFIX, CorruptSnapshot, read_snapshot, snapshot_offset
from kstream.log.txn_index import AbortedTransaction, TransactionIndex
from kstream.records.batch import BatchHeader, read_header

_log = logging.getLogger(__name__)


class Replay:
    """Producer state in the making: it begins with a snapshot, and is told of all batches behind it, also of
    those before the log's start: what a producer sent last may stand there, and a snapshot from before it
    knows less.
    """

    __slots__ = ("_oldest_offset", "_snapshots", "begin", "state")

    def __init__(self, directory: Path, oldest_offset: int, limit: int) -> None:
        """Begin with the newest snapshot from the oldest segment's base offset to `limit`, or with nothing.
        Corrupt ones on the way are deleted. Raises OSError.
        """
        self._oldest_offset = oldest_offset
        self.state = ProducerState()
        self.begin = -1
        """Where that snapshot stands, -1 if there is none."""
        self._snapshots = _newest_first(directory)
        for path in self._snapshots:
            offset = snapshot_offset(path)
            if not oldest_offset <= offset <= limit:
                continue
            try:
                self.state.load(read_snapshot(path))
            except CorruptSnapshot as reason:
                _log.warning("passing over a producer snapshot: %s", reason)
                path.unlink()
            else:
                self.begin = offset
                break

    def add(
        self, header: BatchHeader, buffer: bytes | bytearray | memoryview, position: int
    ) -> Sequence[AbortedTransaction]:
        """A producer's next batch, at `position` of `buffer`. Returns what the transaction index of its
        segment must know. HOT.
        """
        state = self.state
        if not header.is_control:
            state.apply(header, header.base_offset)
            return ()
        analysis = Analysis(state, Origin.REPLICATION)
        analysis.add(header, header.base_offset, buffer, position)
        aborted = analysis.commit()
        # All that is here is replicated. Said only at the end, it would be a million to go through.
        state.on_high_watermark(header.next_offset)
        return aborted

    def add_segments(self, segments: Sequence[Segment], end: int, *, unknown_from: int | None) -> None:
        """The batches of the first `end` segments, as far as the snapshot does not know them.

        The transaction indexes of segments from the base offset `unknown_from` on are written anew.
        Raises OSError.
        """
        next_bases = [segment.base_offset for segment in segments[1:]]
        for number, segment in enumerate(segments[:end]):
            if number < len(next_bases) and next_bases[number] <= self.begin:
                continue
            index = TransactionIndex(segment.txn_index.path, is_new=True)
            for header, position in headers_from(segment, max(self.begin, segment.base_offset)):
                if header.producer_id < 0:
                    continue
                if aborted := self.add(header, segment.file.mapping(segment.size_bytes), position):
                    index.extend(aborted)
            if unknown_from is not None and segment.base_offset >= unknown_from:
                segment.txn_index.replace(index, segment.platform)

    def finish(self, end_offset: int, config: LogConfig, now_ms: int) -> None:
        """The log ends there. Snapshots behind that, and from before the oldest segment, are deleted.

        Raises OSError.
        """
        for path in self._snapshots:
            if not self._oldest_offset <= snapshot_offset(path) <= end_offset:
                path.unlink()
        self.state.on_high_watermark(end_offset)
        self.state.expire(now_ms, config.producer_id_expiration_ms)


def load_producers(
    directory: Path,
    segments: Sequence[Segment],
    end_offset: int,
    config: LogConfig,
    now_ms: int,
    *,
    unknown_from: int | None = None,
) -> Replay:
    """The producer state at `end_offset`, from segments whose batches are good.

    With `unknown_from`, the transaction indexes of segments from that base offset on are written anew.
    Raises OSError.
    """
    replay = Replay(directory, segments[0].base_offset, end_offset if unknown_from is None else unknown_from)
    replay.add_segments(segments, len(segments), unknown_from=unknown_from)
    replay.finish(end_offset, config, now_ms)
    return replay


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
