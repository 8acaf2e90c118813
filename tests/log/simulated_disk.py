"""A simulated disk: it remembers what was synced, and a power cut leaves any part of the rest.

It listens to the system calls by which files change, whoever makes them, below one directory. A cut comes
between any two of them. What it leaves:

- of a file, what was synced, and of each later write every sector or none, each by itself; the space that
  was reserved or written, as zeros, or not; and what was cut off, unless something behind the cut was written
  since and is there: a journal gives new blocks nothing of what was before;
- of a directory, the names that it had at its last sync, or after any of the changes since. While a compacted
  segment takes the place of others the names are those of one moment, since journals keep the order of
  renames, which docs/storage.md asks for; else each name is of a moment of its own.
"""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

from kstream.log.platform import Platform
from tests.dying import Died

SECTOR_BYTES = 512
FOR_EVER = 1 << 60

Names = dict[str, int]
"""Of a directory, with their inodes."""


@dataclass(slots=True)
class Change:
    """What became of a file since its last sync."""

    kind: Literal["write", "cut", "reserve"]
    position: int
    """Of a write; where the file ended then for the others."""
    content: bytes = b""


@dataclass(slots=True)
class File:
    """What a disk has of a file for sure, and what was done to it since."""

    fd: int
    """Held open, so that no inode is given again."""
    synced: bytes = b""
    changes: list[Change] = field(default_factory=list)


@dataclass(slots=True)
class Directory:
    """What a disk has of a directory for sure, and its names after every change since."""

    fd: int
    synced: Names = field(default_factory=dict)
    moments: list[Names] = field(default_factory=list)


class SimulatedDisk:
    """The disk below `root`; close it."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.calls_left = FOR_EVER
        """How many calls come before the power is cut."""
        self._files: dict[int, File] = {}
        self._directories: dict[int, Directory] = {}
        self._real = {name: getattr(os, name) for name in _CALLS}
        self.is_cut = False

    @contextmanager
    def attached(self) -> Iterator[Platform]:
        """System calls go through this disk; yields a platform that makes them."""
        self._know(Path(self.root))
        patches = [patch.object(os, name, self._listening(name)) for name in _CALLS]
        for each in patches:
            each.start()
        try:
            yield Platform(fallocate=True, fdatasync=True, sendfile=True, nowait=True)
        finally:
            for each in reversed(patches):
                each.stop()

    def close(self) -> None:
        files = [file.fd for file in self._files.values()]
        for fd in (*files, *(directory.fd for directory in self._directories.values())):
            os.close(fd)

    # What is known

    def _know(self, path: Path) -> None:
        """What is there from before is on the disk."""
        fd = os.open(path, os.O_RDONLY)
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            self._directories[status.st_ino] = Directory(fd, _names(fd))
            for entry in path.iterdir():
                self._know(entry)
        else:
            self._files[status.st_ino] = File(fd, os.pread(fd, status.st_size, 0))

    def _file(self, fd: int) -> File | None:
        return self._files.get(os.fstat(fd).st_ino)

    def _directory(self, path: Any, dir_fd: int | None = None) -> Directory | None:
        """The one that a path is in."""
        if dir_fd is not None:
            return self._directories.get(os.fstat(dir_fd).st_ino)
        parent = os.path.dirname(os.path.abspath(path))
        if not (parent + "/").startswith(self.root + "/"):
            return None
        return self._directories.get(os.stat(parent).st_ino)

    # Calls

    def _listening(self, name: str) -> Callable[..., Any]:
        real = self._real[name]
        handler: Callable[..., Any] | None = getattr(self, f"_on_{name}", None)

        def call(*arguments: Any, **options: Any) -> Any:
            if self.is_cut:
                raise Died
            return real(*arguments, **options) if handler is None else handler(*arguments, **options)

        return call

    def _count(self) -> None:
        if self.calls_left <= 0:
            self.is_cut = True
            raise Died
        self.calls_left -= 1

    def _on_open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        real = self._real["open"]
        directory = self._directory(path, dir_fd) if flags & (os.O_CREAT | os.O_TRUNC) else None
        if directory is None:
            return int(real(path, flags, mode, dir_fd=dir_fd))
        self._count()
        fd = int(real(path, flags, mode))
        inode = os.fstat(fd).st_ino
        if inode not in self._files:
            self._files[inode] = File(os.dup(fd))
            directory.moments.append(_names(directory.fd))
        elif flags & os.O_TRUNC:
            self._files[inode].changes.append(Change("cut", 0))
        return fd

    def _on_mkdir(self, path: Any, *arguments: Any, **options: Any) -> None:
        directory = self._directory(path)
        if directory is not None and not os.path.exists(path):
            self._count()
        self._real["mkdir"](path, *arguments, **options)
        if directory is not None:
            fd = self._real["open"](path, os.O_RDONLY)
            self._directories[os.fstat(fd).st_ino] = Directory(fd)
            directory.moments.append(_names(directory.fd))

    def _on_rename(self, source: Any, target: Any) -> None:
        self._changing_names("rename", source, target)

    def _on_replace(self, source: Any, target: Any) -> None:
        self._changing_names("replace", source, target)

    def _on_unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        self._changing_names("unlink", path, dir_fd=dir_fd)

    def _on_rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        self._changing_names("rmdir", path, dir_fd=dir_fd)

    def _changing_names(self, name: str, *paths: Any, **options: Any) -> None:
        """`rename` and `replace` are of names in one directory."""
        directory = self._directory(paths[0], options.get("dir_fd"))
        if directory is not None:
            self._count()
        self._real[name](*paths, **options)
        if directory is not None:
            directory.moments.append(_names(directory.fd))

    def _on_write(self, fd: int, content: Any) -> int:
        file = self._file(fd)
        if file is not None:
            self._count()
            file.changes.append(Change("write", os.lseek(fd, 0, os.SEEK_CUR), bytes(content)))
        return int(self._real["write"](fd, content))

    def _on_pwrite(self, fd: int, content: Any, position: int) -> int:
        return self._on_pwritev(fd, (content,), position)

    def _on_pwritev(self, fd: int, pieces: Sequence[Any], position: int) -> int:
        file = self._file(fd)
        content = b"".join(pieces)
        if file is not None:
            self._count()
            file.changes.append(Change("write", position, content))
        return int(self._real["pwrite"](fd, content, position))

    def _on_posix_fallocate(self, fd: int, position: int, size_bytes: int) -> None:
        file = self._file(fd)
        if file is not None:
            self._count()
            file.changes.append(Change("reserve", position + size_bytes))
        self._real["posix_fallocate"](fd, position, size_bytes)

    def _on_ftruncate(self, fd: int, size_bytes: int) -> None:
        file = self._file(fd)
        if file is not None:
            self._count()
            file.changes.append(Change("cut", size_bytes))
        self._real["ftruncate"](fd, size_bytes)

    def _on_truncate(self, path: Any, size_bytes: int) -> None:
        fd = self._real["open"](path, os.O_WRONLY)
        try:
            self._on_ftruncate(fd, size_bytes)
        finally:
            os.close(fd)

    def _on_fdatasync(self, fd: int) -> None:
        self._on_fsync(fd)

    def _on_fsync(self, fd: int) -> None:
        status = os.fstat(fd)
        inode = status.st_ino
        if inode in self._directories:
            self._count()
            directory = self._directories[inode]
            directory.synced, directory.moments = _names(fd), []
            return
        file = self._files.setdefault(inode, File(-1)) if self._is_below(fd) else self._files.get(inode)
        if file is None:
            return
        self._count()
        if file.fd < 0:
            file.fd = os.dup(fd)
        readable = self._real["open"](f"/proc/self/fd/{fd}", os.O_RDONLY)
        file.synced, file.changes = os.pread(readable, status.st_size, 0), []
        os.close(readable)

    def _is_below(self, fd: int) -> bool:
        return os.readlink(f"/proc/self/fd/{fd}").startswith(self.root + "/")

    # The cut

    def cut(self, target: Path, chance: random.Random) -> None:
        """Write what a machine finds that starts again."""
        root = next(iter(self._directories.values()))
        self._cut_directory(root, target, chance)

    def _cut_directory(self, directory: Directory, target: Path, chance: random.Random) -> None:
        target.mkdir()
        for name, inode in sorted(_names_left(directory, chance).items()):
            if inode in self._directories:
                self._cut_directory(self._directories[inode], target / name, chance)
            elif inode in self._files:
                (target / name).write_bytes(_content_left(self._files[inode], chance))
            # Others were made by nobody who syncs them, and are gone.


def _names(fd: int) -> Names:
    with os.scandir(fd) as entries:
        return {entry.name: entry.inode() for entry in entries}


def _names_left(directory: Directory, chance: random.Random) -> Names:
    moments = [directory.synced, *directory.moments]
    names = sorted(set().union(*moments))
    if chance.random() < 0.5 or any(name.endswith(".swap") for name in names):
        return chance.choice(moments)
    of_each = {name: chance.choice(moments).get(name) for name in names}
    return {name: inode for name, inode in of_each.items() if inode is not None}


def _content_left(file: File, chance: random.Random) -> bytes:
    share = chance.choice([0.0, 0.3, 0.6, 0.9, 1.0])
    content = bytearray(file.synced)
    size_bytes = len(content)
    cut_at: int | None = None
    for change in file.changes:
        end = change.position + len(change.content)
        size_bytes = end if change.kind == "cut" else max(size_bytes, end)
        if change.kind == "cut":
            cut_at = end if cut_at is None else min(end, cut_at)
        for at in range(0, len(change.content), SECTOR_BYTES):
            sector = change.content[at : at + SECTOR_BYTES]
            begin = change.position + at
            if chance.random() >= share:
                continue
            if cut_at is not None and begin + len(sector) > cut_at:
                del content[cut_at:]
                cut_at = None
            content.extend(bytes(max(0, begin + len(sector) - len(content))))
            content[begin : begin + len(sector)] = sector
    if cut_at is not None and chance.random() < 0.5:
        del content[cut_at:]
    if chance.random() < 0.3:
        content.extend(bytes(max(0, size_bytes - len(content))))
    return bytes(content)


_CALLS = (
    "open",
    "mkdir",
    "rmdir",
    "rename",
    "replace",
    "unlink",
    "write",
    "pwrite",
    "pwritev",
    "posix_fallocate",
    "ftruncate",
    "truncate",
    "fdatasync",
    "fsync",
)
