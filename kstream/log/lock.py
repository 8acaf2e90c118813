"""`.lock`: one server at a time for a log directory."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from kstream.log.errors import DirectoryInUse, UnusableDirectory

FILE_NAME = ".lock"

# The lock below is a POSIX record lock, which is what Java's FileChannel takes: so neither a kstream nor a
# Kafka gets in beside the other. Such a lock belongs to the process and goes with the first descriptor that
# is closed, so within the process this set decides, before a second descriptor is opened.
_held: set[Path] = set()


class DirectoryLock:
    """Held from creation to `release`, or to the end of the process."""

    __slots__ = ("_path", "fd")

    def __init__(self, directory: Path) -> None:
        """Take the lock.

        Raises DirectoryInUse if another server has it, UnusableDirectory if the directory cannot be written.
        """
        self._path = (directory / FILE_NAME).resolve()
        if self._path in _held:
            raise DirectoryInUse(f"{directory} is already in use by this process")
        try:
            self.fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UnusableDirectory(f"cannot write to {directory}: {error.strerror}") from error
        try:
            fcntl.lockf(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self.fd)
            raise DirectoryInUse(
                f"{directory} is in use by another server: stop that one, or choose another directory"
            ) from error
        _held.add(self._path)

    def release(self) -> None:
        """Let others in."""
        if self._path in _held:
            _held.remove(self._path)
            os.close(self.fd)
