"""A log of wire traffic: requests and answers as they were on the wire, to be decoded when somebody asks.

The file begins with `kstream trace 1` and a newline. Then entry after entry: time in microseconds since 1970
(int64), connection (uint32), kind (uint8), size (uint32), all big-endian, and so many bytes. A request is its
frame without the length in front, an answer likewise; `CLOSED` says why the server closed the connection. An
entry that is cut short, as a crash leaves it, ends the file.
"""

from __future__ import annotations

import logging
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from kstream.errors import KstreamError

log = logging.getLogger(__name__)

MAGIC = b"kstream trace 1\n"
SIZE_BYTES_MAX = 256 << 20
"""More is not written: a trace is to be read by a person."""

REQUEST, ANSWER, CLOSED = range(3)

_ENTRY = struct.Struct(">qIBI")


class BadTrace(KstreamError):
    """A file that is no trace, or cannot be read or written."""


class Entry(NamedTuple):
    """One thing that happened on a connection."""

    at_us: int
    connection: int
    kind: int
    data: bytes


class TraceWriter:
    """Writes a trace, up to `size_bytes_max`. Not for more than one thread."""

    def __init__(self, path: Path, *, size_bytes_max: int = SIZE_BYTES_MAX) -> None:
        """Raises BadTrace."""
        try:
            self._file = open(path, "wb")  # noqa: SIM115  it is open as long as this is
        except OSError as error:
            raise BadTrace(f"cannot write the trace {path}: {error.strerror}") from error
        self._left_bytes = size_bytes_max
        self._path = path
        self._file.write(MAGIC)

    def write(self, connection: int, kind: int, data: bytes) -> None:
        """Note one thing. What does not fit, and all behind it, is left out, and said once."""
        if self._left_bytes <= 0:
            return
        self._left_bytes -= _ENTRY.size + len(data)
        if self._left_bytes <= 0:
            log.warning("the trace %s is full: what happens from now on is not in it", self._path)
            return
        try:
            self._file.write(_ENTRY.pack(time.time_ns() // 1000, connection, kind, len(data)))
            self._file.write(data)
        except OSError as error:
            self._left_bytes = 0
            log.error("the trace %s ends here: %s", self._path, error)

    def close(self) -> None:
        """Have everything in the file."""
        try:
            self._file.close()
        except OSError as error:
            log.error("the trace %s is not complete: %s", self._path, error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_trace(path: Path) -> Iterator[Entry]:
    """The entries of a trace, in their order. Raises BadTrace."""
    try:
        with open(path, "rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise BadTrace(f"{path} is no trace: kstream serve --trace FILE writes one")
            while len(front := file.read(_ENTRY.size)) == _ENTRY.size:
                at_us, connection, kind, size_bytes = _ENTRY.unpack(front)
                data = file.read(size_bytes)
                if len(data) < size_bytes:
                    return
                yield Entry(at_us, connection, kind, data)
    except OSError as error:
        raise BadTrace(f"cannot read {path}: {error.strerror}") from error
