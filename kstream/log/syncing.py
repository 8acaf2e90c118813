"""fdatasync of what a log has written since its recovery point. Runs in a thread beside appends."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kstream.log.segment import Segment

if TYPE_CHECKING:
    from kstream.log.partition import PartitionLog


def sync(log: PartitionLog) -> None:
    """Return once every batch that was published before the call is on the disk.

    Indexes of the active segment are left out: an unclean stop rebuilds them. Those of rolled ones are not
    rebuilt once the recovery point has passed them, so they are synced too.

    Raises OSError.
    """
    recovery_point = log.recovery_point
    segments = tuple(log.segments)  # a roll meanwhile only adds what is behind our end
    for number, segment in enumerate(segments):
        is_last = number + 1 == len(segments)
        if not is_last and segments[number + 1].base_offset <= recovery_point:
            continue
        try:
            log.platform.sync_data(segment.file.fd)
            if not is_last:
                _sync_indexes(log, segment)
        except FileNotFoundError:
            if segment in log.segments:
                raise
            # Retention deleted it meanwhile: nothing of it needs to last.
    if log.directory_changed:
        log.directory_changed = False
        log.platform.sync_directory(log.directory)
        log.platform.sync_directory(log.directory.parent)


def _sync_indexes(log: PartitionLog, segment: Segment) -> None:
    for path in segment.index_paths:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # no aborted transactions; a missing index is rebuilt
        try:
            log.platform.sync_data(fd)
        finally:
            os.close(fd)
