"""What a broker and its process for compaction tell each other, over that process's standard input and
output.

A message is its length, four bytes, big-endian, and a pickle. Both ends are the same program, and both pipes
were made by the one and inherited by the other alone: nobody else can write there. So unpickling is safe.

| the broker says | the process answers |
|---|---|
| | `Ready`, once |
| an `Order` | `Touched` and `CleanedGroup`, any number of them, each of which waits for a reply |
| a number, the reply: so many bytes may be touched before the next `Touched` | and so on |
| | `Outcome` or `Failed`: the round is over |

`Said` comes at any time.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from kstream.errors import KstreamError
from kstream.log.compaction_job import CompactionJob
from kstream.log.errors import CompactionAborted, LogStorageError

_LENGTH = struct.Struct(">I")
LENGTH_BYTES = _LENGTH.size


class Ready(NamedTuple):
    """The process has started, and can compact."""


class Order(NamedTuple):
    """Do this round."""

    job: CompactionJob
    platform: Mapping[str, bool]
    """`Platform.settings`."""


class Touched(NamedTuple):
    """So many bytes were read and written since the last reply."""

    size_bytes: int


class Said(NamedTuple):
    """A line for the broker's log."""

    logger: str
    level: int
    text: str


class Failed(NamedTuple):
    """What ended a round. An OSError is itself; of others their kind and text come."""

    error: OSError | None
    is_aborted: bool = False
    is_storage: bool = False
    text: str = ""

    @classmethod
    def by(cls, error: Exception) -> Failed:
        """What `error` is to the broker."""
        if isinstance(error, OSError) and error.errno is not None:
            return cls(OSError(error.errno, error.strerror, error.filename))
        if isinstance(error, KstreamError):
            is_storage = isinstance(error, LogStorageError)
            return cls(None, isinstance(error, CompactionAborted), is_storage, str(error))
        # A defect, no memory, or an OSError of words alone: a later round may do better.
        return cls(None, is_storage=True, text=f"{type(error).__name__}: {error}")

    def raised(self) -> Exception:
        """The same for whoever ordered the round."""
        if self.error is not None:
            return self.error
        if self.is_aborted:
            return CompactionAborted(self.text)
        return LogStorageError(self.text) if self.is_storage else KstreamError(self.text)


def packed(message: Any) -> bytes:
    """A message as it is sent."""
    content = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(content)) + content


def length_of(head: bytes) -> int:
    """How many bytes follow the first LENGTH_BYTES."""
    length: int = _LENGTH.unpack(head)[0]
    return length


def unpacked(content: bytes) -> Any:
    """The message."""
    return pickle.loads(content)
