"""How many segments are open, whatever the number of partitions: the least recently used ones are closed.

An open segment takes a descriptor and up to three mappings, and both are limited in a process. Opening is
noted in any thread; closing happens in `trim`, on the thread that owns the logs, and in the order of opening
with a second chance: a segment that was used since it was last looked at goes to the end of the queue.

Closing is only letting go: whoever sends from a segment, or searches it, holds what it needs.
"""

from __future__ import annotations

import logging
import resource
import sys
from collections import deque
from typing import TYPE_CHECKING
from weakref import ref

if TYPE_CHECKING:
    from kstream.log.segment_files import SegmentFiles

_log = logging.getLogger(__name__)

_LIMIT_MAX = 16_384
"""Three mappings each are still below Linux's 65,530 (`vm.max_map_count`)."""
_DESCRIPTORS_EACH = 1 if sys.version_info >= (3, 13) else 4
"""Before 3.13, Python's mappings have a descriptor of their own."""


def default_limit() -> int:
    """As many as take half of the descriptors that this process may have; the others are for connections."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _LIMIT_MAX
    return max(16, min(soft // 2 // _DESCRIPTORS_EACH, _LIMIT_MAX))


class OpenFiles:
    """The segments of one log directory that are open."""

    __slots__ = ("_queue", "limit")

    def __init__(self, limit: int | None = None) -> None:
        self.limit = default_limit() if limit is None else limit
        self._queue: deque[ref[SegmentFiles]] = deque()

    def __len__(self) -> int:
        """At least as many as are open."""
        return len(self._queue)

    def note(self, segment: SegmentFiles) -> None:
        """A segment was opened. In any thread."""
        if not segment.is_noted:
            segment.is_noted = True
            self._queue.append(ref(segment))

    def trim(self) -> None:
        """Close what is above the limit, on the thread that owns the logs."""
        queue = self._queue
        if len(queue) <= self.limit:
            return
        for _ in range(2 * len(queue)):
            if len(queue) <= self.limit:
                return
            reference = queue.popleft()
            segment = reference()
            if segment is None or not segment.is_open:
                if segment is not None:
                    segment.is_noted = False
            elif segment.was_used:
                segment.was_used = False
                queue.append(reference)
            else:
                self._close(segment, reference)

    def _close(self, segment: SegmentFiles, reference: ref[SegmentFiles]) -> None:
        try:
            segment.close_files()
        except OSError as error:
            # Index entries that cannot be written stay in memory.
            _log.debug("%s stays open: %s", segment.path, error)
            self._queue.append(reference)
        else:
            segment.is_noted = False
