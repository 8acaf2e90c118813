"""What to do about what is logged as an error, where the cause alone tells it."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator

_ADVICE = {
    errno.ENOSPC: "free space on the disk, or point --data to a larger one",
    errno.EDQUOT: "raise the quota of the server's user on the disk",
    errno.EIO: "check the disk, and restart once it works: what was acknowledged is checked then",
    errno.EROFS: "the disk is mounted read-only: mount it for writing, and restart",
    errno.EACCES: "let the server's user read and write the data directory",
    errno.EPERM: "let the server's user read and write the data directory",
    errno.EMFILE: "raise the limit on open files (ulimit -n), and restart",
    errno.ENFILE: "raise the machine's limit on open files (sysctl fs.file-max)",
    errno.ENOMEM: "give the machine or the container more memory",
}
_DEFECT = "this is a defect of kstream: please report it with these lines"


def advice(record: logging.LogRecord) -> str | None:
    """What to do about an error or a warning that something of the machine brought about; None if its message
    says all there is to say.
    """
    if record.levelno < logging.WARNING:
        return None
    for error in _errors(record):
        if isinstance(error, OSError) and error.errno in _ADVICE:
            return _ADVICE[error.errno]
    return _DEFECT if record.exc_info and record.levelno >= logging.ERROR else None


def _errors(record: logging.LogRecord) -> Iterator[BaseException]:
    """The exceptions that a record is about, and those that brought them about."""
    args = record.args if isinstance(record.args, tuple) else ()
    found = [arg for arg in args if isinstance(arg, BaseException)]
    if record.exc_info and record.exc_info[1] is not None:
        found.append(record.exc_info[1])
    for error in found:
        cause: BaseException | None = error
        for _ in range(8):
            if cause is None:
                break
            yield cause
            cause = cause.__cause__
