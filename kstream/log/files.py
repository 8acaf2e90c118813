"""A segment's `.log` file while it is open: descriptor, mapping, reserved space.

Three rules of memory mapping are kept here. Nothing is ever stored through a mapping, writing is `pwritev`.
The mapping is read only below the published end, and the file is never made shorter than that while it is
mapped. And nobody closes a file that somebody else may be sending from: whoever needs it holds a reference,
and the last one that goes takes descriptor and mapping along, so that a deleted segment lives until it was
sent.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from mmap import PAGESIZE
from pathlib import Path

from kstream.log.platform import Buffer, Platform

RESERVE_BYTES_MIN = 64 * 1024
RESERVE_BYTES_MAX = 16 * 1024 * 1024


class SegmentFile:
    """An open `.log` file. It is closed when the last reference to it goes."""

    __slots__ = ("_mapping", "fd", "platform", "reserved_bytes")

    def __init__(self, path: Path, platform: Platform, *, create: bool = False) -> None:
        self.fd = -1
        try:
            self.fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o644)
        except PermissionError:
            # A read-only copy of a directory can still be read.
            self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.platform = platform
        self.reserved_bytes = os.fstat(self.fd).st_size
        self._mapping = memoryview(b"")

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)

    def mapping(self, end: int) -> memoryview:
        """A mapping of at least the first `end` bytes, which must be there: `end` is at most a published end.

        It outlives the file for whoever holds it, or a slice of it.
        """
        mapping = self._mapping
        if len(mapping) < end:
            # All that is reserved, so that a growing segment is seldom mapped anew: as long as the file is,
            # which a cut may just be making shorter when this runs in a thread.
            mapping = self._mapping = self.platform.map_file(self.fd, 0)
        return mapping

    def piece(self, position: int, size_bytes_min: int) -> bytes:
        """From `position` to the end of its page, and at least so many bytes; fewer where the file ends. HOT.

        For searches: they go through whole topics, and what is touched through the mapping counts as this
        process's memory and is the last that the system lets go of, with up to 2 MB around it.
        """
        return os.pread(self.fd, max(size_bytes_min, PAGESIZE - position % PAGESIZE), position)

    def reserve(self, end: int, limit: int, *, everything: bool = False) -> None:
        """Have blocks for at least the first `end` bytes, and some more, up to `limit`, for what comes next.

        `everything` takes all up to `limit` at once (`preallocate`).

        Raises OSError if not even `end` bytes can be had.
        """
        reserved = self.reserved_bytes
        step = min(max(reserved, RESERVE_BYTES_MIN), RESERVE_BYTES_MAX)
        wanted = max(end, limit if everything else min(reserved + step, limit))
        try:
            self.platform.reserve(self.fd, reserved, wanted - reserved)
        except OSError as error:
            if wanted == end or error.errno not in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
                raise
            # The disk is nearly full: take no more than is needed.
            wanted = end
            self.platform.reserve(self.fd, reserved, wanted - reserved)
        self.reserved_bytes = wanted

    def write(self, pieces: Sequence[Buffer], position: int, size_bytes: int) -> None:
        """Write all pieces, `size_bytes` together, at `position`.

        Raises OSError, with any part of them written: the caller cuts the file back.
        """
        written = self.platform.write_vector(self.fd, pieces, position)
        if written == size_bytes:
            return
        # A short write: usually the disk is full, and the next call says so.
        rest = memoryview(b"".join(pieces))[written:]
        while rest:
            position += written
            written = self.platform.write_vector(self.fd, (rest,), position)
            if written <= 0:
                raise OSError(errno.EIO, "nothing was written")
            rest = rest[written:]

    def cut(self, end: int) -> None:
        """End the file at `end`, which is at or behind the published end: gives reserved space back."""
        if self.reserved_bytes != end:
            os.ftruncate(self.fd, end)
            self.reserved_bytes = end
            # A mapping longer than the file is safe to keep for its readers, but must not serve what grows
            # again.
            self._mapping = memoryview(b"")

    def erase_behind(self, end: int) -> None:
        """Turn everything from `end` into zeros, for a log that is truncated below its published end.

        The length stays: somebody may hold the mapping, and touching it behind the file's end kills the
        process.
        """
        size_bytes = self.reserved_bytes
        os.ftruncate(self.fd, end)
        os.ftruncate(self.fd, size_bytes)
