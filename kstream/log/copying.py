"""A log directory copied while it is in use.

What is there at one moment, on the thread that owns the logs, is what the copy has. Rolled segments are hard
links: they change no more, and are replaced by others, never written to. Of active ones the bytes below the
published end are copied afterwards, in a thread, since nothing changes there. Indexes of active segments are
left out: opening makes them anew, as it does after a crash, for which the copy passes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kstream.log.errors import UnusableDirectory
from kstream.log.files import SegmentFile
from kstream.log.meta_properties import FILE_NAME as META_PROPERTIES
from kstream.log.partition import PartitionLog
from kstream.log.retention import DELETED_SUFFIX
from kstream.log.segment_files import segment_path

if TYPE_CHECKING:
    from kstream.log.directory import LogDirectory, PartitionKey

_PIECE_BYTES = 1 << 20

Rest = Callable[[], None]
"""What remains to be done, in a thread. Raises OSError."""


def begin_copy(directory: LogDirectory, target: Path) -> Rest:
    """Begin to copy everything to `target`, a directory that is new or empty. On the logs' own thread.

    Raises:
        UnusableDirectory: there is something in it, or it cannot be made.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        if next(target.iterdir(), None) is not None:
            raise UnusableDirectory(f"{target} is not empty: choose another place for the copy")
        shutil.copyfile(directory.path / META_PROPERTIES, target / META_PROPERTIES)
        tails: list[tuple[SegmentFile, int, Path]] = []
        recovery_points: dict[PartitionKey, int] = {}
        log_starts: dict[PartitionKey, int] = {}
        for key in directory.partition_keys():
            source, copy = directory.partition_path(*key), target / f"{key[0]}-{key[1]}"
            log = directory.open_log(*key)
            log_starts[key] = directory.log_start_offset(*key) if log is None else log.log_start_offset
            if log is None:
                shutil.copytree(source, copy)
            else:
                tails.append(_link(log, source, copy))
                recovery_points[key] = log.segments.active.base_offset
        directory.write_copied_checkpoints(target, recovery_points, log_starts)
    except OSError as error:
        raise UnusableDirectory(f"cannot copy to {target}: {error}") from error
    return lambda: _copy_tails(tails)


def _link(log: PartitionLog, source: Path, copy: Path) -> tuple[SegmentFile, int, Path]:
    """Everything of a partition but the active segment, which is returned with its published end."""
    copy.mkdir()
    *rolled, active = log.segments[:]
    linked = {segment.path.name for segment in rolled}
    left_out = {
        segment_path(source, active.base_offset, suffix).name for suffix in (".log", ".index", ".timeindex")
    }
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.name in left_out or entry.name.endswith(DELETED_SUFFIX) or not entry.is_file():
                continue
            if entry.name in linked:
                _link_or_copy(entry.path, copy / entry.name)
            else:
                shutil.copyfile(entry.path, copy / entry.name)
    return active.file, active.size_bytes, copy / active.path.name


def _link_or_copy(source: str, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _copy_tails(tails: list[tuple[SegmentFile, int, Path]]) -> None:
    for file, size_bytes, path in tails:
        with open(path, "wb") as copy:
            position = 0
            while position < size_bytes:
                piece = os.pread(file.fd, min(size_bytes - position, _PIECE_BYTES), position)
                if not piece:
                    raise OSError(f"{path} ends too soon")
                copy.write(piece)
                position += len(piece)
