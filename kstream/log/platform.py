"""What only Linux has, in one place, each with a portable fallback.

| wanted | Linux | elsewhere |
|---|---|---|
| reserve blocks, so that a full disk shows before a write | posix_fallocate | the file is only made longer |
| make data durable without the file's times | fdatasync | F_FULLFSYNC on a Mac, else fsync |
| file to socket without a copy | sendfile | pread and send |
| is it in the page cache? | preadv with RWF_NOWAIT | unknown, so: no |
| bring in what is read next | posix_fadvise | as far as the system reads ahead |
| sync all files at once | syncfs, where it tells of failures | one by one |
| write several pieces at once | pwritev | join and pwrite |

A `Platform` is a value that a log is given, so that tests force each fallback, and fakes refuse to write.
"""

from __future__ import annotations

import contextlib
import copy
import errno
import fcntl
import mmap
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from kstream.log.open_files import OpenFiles

Buffer = bytes | bytearray | memoryview

COLD_PIECE_BYTES = 1 << 20
"""Cold data is brought in by pieces of this size."""
_PROBE_STEP_BYTES = 128 * 1024
"""Distance of residency probes: what Linux reads ahead by default comes and goes together."""
_SCRATCH_BYTES = 4096
"""COLD_PIECE_BYTES are 256 of these, under every platform's IOV_MAX."""
_F_FULLFSYNC, _F_GETPATH = 51, 50


class Platform:
    """System calls of the log. Each flag turns one Linux speciality on; without any it runs anywhere."""

    __slots__ = (
        "_guard",
        "_write_vector",
        "has_fadvise",
        "has_fallocate",
        "has_fdatasync",
        "has_nowait",
        "has_sendfile",
        "has_sync",
        "has_syncfs",
        "open_files",
        "write_vector",
    )

    def __init__(
        self,
        *,
        fallocate: bool,
        fdatasync: bool,
        sendfile: bool,
        nowait: bool,
        pwritev: bool = True,
        syncfs: bool = False,
        fadvise: bool = False,
    ) -> None:
        self.has_fallocate = fallocate
        self.has_fdatasync = fdatasync
        self.has_sendfile = sendfile
        self.has_nowait = nowait
        self.has_syncfs = syncfs
        self.has_fadvise = fadvise
        self.has_sync = True
        """Whether anything needs to be on the disk."""
        write_vector: Callable[[int, Sequence[Buffer], int], int] = os.pwritev if pwritev else _join_write
        self._write_vector = self.write_vector = write_vector
        self._guard: Callable[[int], None] | None = None
        self.open_files = OpenFiles()
        """Which segments are open, and how many may be."""

    def with_open_files(self, limit: int | None = None) -> Platform:
        """The same for other logs, whose open files are counted by themselves."""
        other = copy.copy(self)
        other.open_files = OpenFiles(limit)
        return other

    @property
    def is_plain(self) -> bool:
        """Whether it only does what the system does: then another process may write in its place."""
        return type(self) is Platform and self._guard is None

    def settings(self) -> dict[str, bool]:
        """What `of_settings` makes the same of, in another process."""
        return {name: getattr(self, name) for name in self.__slots__ if name.startswith("has_")} | {
            "has_pwritev": self._write_vector is not _join_write
        }

    @classmethod
    def of_settings(cls, settings: Mapping[str, bool]) -> Platform:
        """One that writes as another does."""
        platform = cls(
            fallocate=settings["has_fallocate"],
            fdatasync=settings["has_fdatasync"],
            sendfile=settings["has_sendfile"],
            nowait=settings["has_nowait"],
            pwritev=settings["has_pwritev"],
            syncfs=settings["has_syncfs"],
            fadvise=settings["has_fadvise"],
        )
        platform.has_sync = settings["has_sync"]
        return platform

    def without_sync(self) -> Platform:
        """The same for data that goes with the process that made it."""
        other = copy.copy(self)
        other.has_sync = False
        return other

    @classmethod
    def native(cls) -> Platform:
        """Everything that this machine's Python offers."""
        return cls(
            fallocate=hasattr(os, "posix_fallocate"),
            fdatasync=hasattr(os, "fdatasync"),
            sendfile=hasattr(os, "sendfile"),
            nowait=hasattr(os, "preadv") and hasattr(os, "RWF_NOWAIT"),
            pwritev=hasattr(os, "pwritev"),
            syncfs=_tells_of_failed_syncs(),
            fadvise=hasattr(os, "posix_fadvise"),
        )

    @classmethod
    def portable(cls) -> Platform:
        """Only what every POSIX system has."""
        return cls(fallocate=False, fdatasync=False, sendfile=False, nowait=False, pwritev=False)

    def guard_writes(self, guard: Callable[[int], None] | None) -> None:
        """From now on, call `guard(fd)` before a log's file is written or made longer; it raises OSError in
        place of the system. None ends that.
        """
        self._guard = guard
        write = self.write_vector = self._write_vector
        if guard is not None:

            def guarded(fd: int, pieces: Sequence[Buffer], position: int) -> int:
                guard(fd)
                return write(fd, pieces, position)

            self.write_vector = guarded

    def reserve(self, fd: int, position: int, size_bytes: int) -> None:
        """Make the file at least `position + size_bytes` long, with blocks behind every byte where possible.

        Raises OSError (ENOSPC, EFBIG, EDQUOT) where that much cannot be had.
        """
        if self._guard is not None:
            self._guard(fd)
        if self.has_fallocate:
            try:
                os.posix_fallocate(fd, position, size_bytes)
                return
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                    raise
        if os.fstat(fd).st_size < position + size_bytes:
            os.ftruncate(fd, position + size_bytes)

    def sync_data(self, fd: int) -> None:
        """Return once the data is on the disk. Blocks: for a thread. A failure must never be retried."""
        if not self.has_sync:
            return
        if self.has_fdatasync:
            os.fdatasync(fd)
            return
        if os.uname().sysname == "Darwin":
            # fsync on a Mac does not reach the platter.
            # Not every file system knows it: then fsync is the best there is.
            with contextlib.suppress(OSError):
                fcntl.fcntl(fd, _F_FULLFSYNC)
                return
        os.fsync(fd)

    def sync_file_system(self, fd: int) -> bool:
        """Have everything on the disk that was written to the file system of an open file. Blocks.

        Returns whether it is; False where that cannot be done or told. Linux tells since 5.8, of every error
        since the file was opened.
        """
        if not self.has_sync:
            return True
        if not self.has_syncfs:
            return False
        import ctypes  # seldom needed

        return int(ctypes.CDLL(None).syncfs(fd)) == 0

    def send_file(self, socket_fd: int, file_fd: int, position: int, size_bytes: int) -> int:
        """Send from a file to a non-blocking socket; return the bytes sent, 0 where the file ends.

        Raises BlockingIOError if the socket's buffer is full, OSError if the connection is gone.
        """
        if self.has_sendfile:
            return os.sendfile(socket_fd, file_fd, position, size_bytes)
        piece = os.pread(file_fd, min(size_bytes, 64 * 1024), position)
        return os.write(socket_fd, piece) if piece else 0

    def is_resident(self, fd: int, position: int, size_bytes: int) -> bool:
        """Whether these bytes are, as far as probes tell, in the page cache: reading them will not wait for a
        disk.
        """
        if not self.has_nowait:
            return False
        end = position + size_bytes
        byte = (bytearray(1),)
        preadv = os.preadv
        nowait = os.RWF_NOWAIT
        try:
            for at in range(position, end, _PROBE_STEP_BYTES):
                preadv(fd, byte, at, nowait)
            preadv(fd, byte, end - 1, nowait)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EOPNOTSUPP):
                return False
            raise
        return True

    def bring_in(self, fd: int, position: int, size_bytes: int) -> None:
        """Read these bytes into the page cache, in pieces, without the GIL. For a thread.

        What comes is not wanted here: all of it goes over the same few bytes, which stay in the processor's
        nearest cache.
        """
        scratch = bytearray(_SCRATCH_BYTES)
        end = position + size_bytes
        while position < end:
            wanted = min(end - position, COLD_PIECE_BYTES)
            if self.has_nowait:
                count = os.preadv(fd, (scratch,) * -(-wanted // _SCRATCH_BYTES), position)
            else:
                count = len(os.pread(fd, wanted, position))
            if not count:
                return
            position += count

    def read_ahead(self, fd: int, position: int, size_bytes: int) -> None:
        """Have the kernel begin to read these bytes into the page cache, without waiting for them.

        Asked for more at once than a disk reads in one go, Linux would forget about the rest.
        """
        if self.has_fadvise:
            end = position + size_bytes
            for at in range(position, end, _PROBE_STEP_BYTES):
                os.posix_fadvise(fd, at, min(_PROBE_STEP_BYTES, end - at), os.POSIX_FADV_WILLNEED)

    def read_into(self, fd: int, target: memoryview, position: int) -> int:
        """Read from a position into `target`; returns how many bytes came, 0 at the file's end."""
        if hasattr(os, "preadv"):
            return os.preadv(fd, (target,), position)
        content = os.pread(fd, len(target), position)
        target[: len(content)] = content
        return len(content)

    def map_file(self, fd: int, size_bytes: int) -> memoryview:
        """The first bytes of a file, to be read. Raises OSError."""
        if sys.version_info >= (3, 13):
            return memoryview(mmap.mmap(fd, size_bytes, mmap.MAP_SHARED, mmap.PROT_READ, trackfd=False))
        return memoryview(mmap.mmap(fd, size_bytes, mmap.MAP_SHARED, mmap.PROT_READ))

    def sync_path(self, path: str | os.PathLike[str]) -> None:
        """`sync_data` of a file that need not exist: what can be missing can be made anew."""
        if not self.has_sync:
            return
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            self.sync_data(fd)
        finally:
            os.close(fd)

    def sync_directory(self, path: str | os.PathLike[str]) -> None:
        """Make creations, renames and deletions in a directory durable."""
        if not self.has_sync:
            return
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def path_of(fd: int) -> str:
    """The path of an open file. Raises OSError."""
    if sys.platform == "darwin":
        return fcntl.fcntl(fd, _F_GETPATH, bytes(1024)).rstrip(b"\0").decode()
    return os.readlink(f"/proc/self/fd/{fd}")


def _tells_of_failed_syncs() -> bool:
    system = os.uname()
    major, _, rest = system.release.partition(".")
    minor = rest.partition(".")[0]
    known = system.sysname == "Linux" and major.isdecimal() and minor.isdecimal()
    return known and (int(major), int(minor)) >= (5, 8)


def _join_write(fd: int, pieces: Sequence[Buffer], position: int) -> int:
    return os.pwrite(fd, pieces[0] if len(pieces) == 1 else b"".join(pieces), position)


NATIVE = Platform.native()
