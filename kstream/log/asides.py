"""What recovery takes out of a log is kept beside it, under a name that no log has."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from kstream.log.files import SegmentFile
from kstream.log.platform import COLD_PIECE_BYTES
from kstream.log.segment import Segment

_log = logging.getLogger(__name__)


def keep_aside(path: Path, file: SegmentFile, position: int, end: int, reason: str) -> bool:
    """Copy what is cut off to `<segment>.corrupt-<position>`, unless it is all zeros; returns whether it is
    not.
    """
    end = _end_of_content(file.fd, position, end)
    if end == position:
        return False
    aside = path.with_name(f"{path.name}.corrupt-{position}")
    with aside.open("wb") as out:
        at = position
        while at < end:
            piece = os.pread(file.fd, min(COLD_PIECE_BYTES, end - at), at)
            if not piece:
                break
            out.write(piece)
            at += len(piece)
        out.flush()
        os.fsync(out.fileno())
    _log.warning(
        "%s ends at byte %d: %s. The %d bytes behind are kept in %s",
        path,
        position,
        reason,
        end - position,
        aside.name,
    )
    return True


def _end_of_content(fd: int, begin: int, end: int) -> int:
    """Where the zeros that fill the file's end begin, from `begin` on."""
    while end > begin:
        at = max(begin, end - COLD_PIECE_BYTES)
        content = os.pread(fd, end - at, at)
        if content != bytes(len(content)):
            return at + len(content.rstrip(b"\0"))
        end = at
    return begin


def set_aside_behind(segments: Sequence[Segment], next_offset: int) -> None:
    """Take segments that lie behind a corruption out of the log, without losing them, unless they go on
    where the good ones end. Raises OSError.
    """
    if segments and segments[0].base_offset != next_offset:
        # The last one first: what is left goes on without a gap, whenever the process dies.
        for segment in reversed(segments):
            _set_aside(segment, "lies behind a corruption")
        # Back under their names, behind what is written from here on, they would have offsets twice.
        segments[0].platform.sync_directory(segments[0].directory)


def set_aside_overlapping(segment: Segment, end_offset: int) -> None:
    """Take a segment out of the log, without losing it, that begins before the end of the one in front.

    Nothing is written behind the beginning of a segment that follows. So this one is from before: it was
    replaced by compaction, or cut off, and the disk did not keep that. Raises OSError.
    """
    _set_aside(segment, f"begins before offset {end_offset}, where the segment in front of it ends")
    segment.platform.sync_directory(segment.directory)


def _set_aside(segment: Segment, why: str) -> None:
    aside = segment.path.with_name(f"{segment.path.name}.corrupt-0")
    _log.warning("%s %s; it is kept as %s", segment.path, why, aside.name)
    segment.path.rename(aside)
    segment.unlink()
