"""Small text files that are replaced whole: Kafka's checkpoints.

    0                     version
    2                     number of lines that follow
    orders 0 1500
    orders 1 1480

Crash policy: written beside, synced, renamed over the old one, so either the old or the new content is there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from kstream.errors import KstreamError


class CorruptCheckpoint(KstreamError):
    """The file is not a checkpoint; what it holds can be found out another way."""


def replace_file(path: Path, content: bytes | bytearray, *, sync: bool) -> None:
    """Put `content` where `path` is, all or nothing.

    Without `sync` that holds for a crash of the process, not for one of the machine.
    """
    beside = path.with_name(path.name + ".tmp")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(fd, rest) :]
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)
    os.replace(beside, path)


def write_lines(path: Path, lines: Iterable[str], *, sync: bool) -> None:
    """Write a checkpoint of version 0."""
    body = list(lines)
    replace_file(path, "\n".join(("0", str(len(body)), *body, "")).encode(), sync=sync)


def read_lines(path: Path, *, may_be_empty: bool = False) -> list[str]:
    """The lines of a checkpoint; none if there is no file, or an empty one where Kafka makes such.

    Raises CorruptCheckpoint for another version, or another number of lines than the file says.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        raise CorruptCheckpoint(f"{path} is not text") from error
    if may_be_empty and not lines:
        return []
    if len(lines) < 2 or lines[0] != "0" or lines[1] != str(len(lines) - 2):
        raise CorruptCheckpoint(f"{path} is not a checkpoint of version 0")
    return lines[2:]


def write_offsets(path: Path, offsets: Mapping[tuple[str, int], int], *, sync: bool = True) -> None:
    """Write one offset for each (topic, partition)."""
    lines = [f"{topic} {index} {offset}" for (topic, index), offset in sorted(offsets.items())]
    write_lines(path, lines, sync=sync)


def read_offsets(path: Path) -> dict[tuple[str, int], int]:
    """The offsets of a checkpoint, by (topic, partition); empty if there is no file. Raises
    CorruptCheckpoint.
    """
    offsets: dict[tuple[str, int], int] = {}
    for line in read_lines(path, may_be_empty=True):
        try:
            topic, index, offset = line.split(" ")
            offsets[topic, int(index)] = int(offset)
        except ValueError as error:
            raise CorruptCheckpoint(f"{path} has a line {line!r}") from error
    return offsets
