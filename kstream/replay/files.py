"""Files of records: JSON Lines here, Parquet in its own module."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from kstream.replay import jsonl
from kstream.replay.errors import ReplayError
from kstream.replay.event import NO_TIMESTAMP, Event
from kstream.replay.moments import Kind, Moment, Range


class Window:
    """Which records of a file a range means: offsets by offset, and a time from the first record of the
    partition that is not before it, as a topic would have it.
    """

    def __init__(self, span: Range) -> None:
        for moment in span:
            if moment.kind is Kind.LAST or (moment.kind is Kind.END and moment is span.start):
                raise ReplayError(f"a file is read from its beginning: {moment} means nothing in it")
        self._start, self._end = span
        self._started: set[int | None] = set()
        self._ended: set[int | None] = set()

    def has(self, event: Event) -> bool:
        partition = event.partition
        if partition not in self._started and self._start.kind is not Kind.BEGINNING:
            if not _is_reached(self._start, event):
                return False
            self._started.add(partition)
        if partition not in self._ended and _is_reached(self._end, event):
            self._ended.add(partition)
        return partition not in self._ended


def _is_reached(moment: Moment, event: Event) -> bool:
    if moment.kind is Kind.OFFSET:
        if event.offset is None:
            raise ReplayError("records in this file have no offset: give a range of times, or none")
        return event.offset >= moment.number
    return moment.kind is Kind.TIME and event.timestamp_ms >= moment.number != NO_TIMESTAMP


class JsonLinesSource:
    """A file of JSON Lines, or standard input for None."""

    def __init__(self, path: Path | None, span: Range) -> None:
        self._path = path
        self._window = Window(span)
        self._name = "standard input" if path is None else str(path)
        try:
            self._file: BinaryIO = sys.stdin.buffer if path is None else open(path, "rb")  # noqa: SIM115
        except OSError as error:
            raise ReplayError(f"cannot read {path}: {error.strerror}") from None
        self.total: int | None = None if path is None else os.fstat(self._file.fileno()).st_size
        self.done = 0

    def events(self, resume: Mapping[int, int]) -> Iterator[Event]:
        for number, line in enumerate(self._file, 1):
            self.done += len(line)
            if line.isspace():
                continue
            try:
                event = jsonl.from_line(line)
            except ReplayError as error:
                raise ReplayError(f"{self._name}, line {number}: {error}") from None
            if event.partition is not None and (event.offset or 0) < resume.get(event.partition, 0):
                continue
            if self._window.has(event):
                yield event

    def partition_count(self) -> int | None:
        if self._path is None:
            return None
        with open(self._path, "rb") as file:
            highest = max((_partition(line) for line in file), default=-1)
        return highest + 1 if highest >= 0 else None

    def close(self) -> None:
        self._file.close()


def _partition(line: bytes) -> int:
    """The partition in a line; -1 for none, also in a line that will not do, which reading it will say."""
    try:
        partition = jsonl.from_line(line).partition
    except ReplayError:
        return -1
    return -1 if partition is None else partition


class JsonLinesTarget:
    """A file of JSON Lines, or standard output for None. One that is there is written over, or continued
    behind its first `kept_bytes`.
    """

    def __init__(self, path: Path | None, *, kept_bytes: int | None = None) -> None:
        self._path = path
        try:
            self._file = sys.stdout.buffer if path is None else _open(path, kept_bytes)
        except OSError as error:
            raise ReplayError(f"cannot write {path}: {error.strerror}") from None
        self._is_regular = path is not None and path.is_file()

    def prepare(self, partition_count: Callable[[], int | None]) -> None:
        """Nothing to do: a line says its partition."""

    def write(self, event: Event) -> None:
        try:
            self._file.write(jsonl.to_line(event).encode() + b"\n")
        except OSError as error:
            raise self._failed(error) from None

    def flush(self) -> None:
        try:
            self._file.flush()
            if self._is_regular:
                os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failed(error) from None

    def size_bytes(self) -> int | None:
        return self._file.tell() if self._is_regular else None

    def close(self) -> None:
        if self._path is not None:
            self._file.close()

    def _failed(self, error: OSError) -> ReplayError:
        return ReplayError(f"cannot write {self._path or 'to standard output'}: {error.strerror}")


def _open(path: Path, kept_bytes: int | None) -> BinaryIO:
    if kept_bytes is None:
        return open(path, "wb")
    file = open(path, "r+b")  # noqa: SIM115
    file.truncate(kept_bytes)
    file.seek(kept_bytes)
    return file
