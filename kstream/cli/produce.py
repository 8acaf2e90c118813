"""`kstream produce`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

from cyclopts import App, Parameter

from kstream.cli.connection import Cluster
from kstream.cli.output import TASK, progress_bar, say
from kstream.replay import jsonl
from kstream.replay.errors import ReplayError
from kstream.replay.event import NO_TIMESTAMP, Event, Header
from kstream.replay.moments import Kind, parse_moment
from kstream.replay.topic_target import TopicTarget

app = App(name="produce", help="Write records from standard input, a file or the command line.")


@app.default
def produce(
    topic: str,
    /,
    *,
    value: Annotated[list[str] | None, Parameter(help="A record; standard input is not read.")] = None,
    file: Annotated[Path | None, Parameter(help="Read this file instead of standard input.")] = None,
    whole: Annotated[bool, Parameter(help="All of the input is one record.")] = False,
    as_json: Annotated[
        bool,
        Parameter(
            name="--json",
            help="Lines are JSON with value, key, headers, timestamp_ms, partition, as consume prints.",
        ),
    ] = False,
    key: Annotated[str | None, Parameter(help="The key of every record.")] = None,
    key_separator: Annotated[
        str | None, Parameter(help="What stands between key and value in a line.")
    ] = None,
    header: Annotated[list[str] | None, Parameter(help="NAME=VALUE, for every record.")] = None,
    partition: Annotated[int | None, Parameter(help="Where to; by key if not said.")] = None,
    timestamp: Annotated[
        str | None, Parameter(help="When: a time, or how long ago (-1h).", allow_leading_hyphen=True)
    ] = None,
    acks: Annotated[Literal["0", "1", "all"], Parameter(show_default=True)] = "all",
    codec: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "none",
    idempotent: Annotated[bool, Parameter(negative="--no-idempotent")] = True,
    cluster: Cluster | None = None,
) -> None:
    """Write records to a topic, one a line of standard input. The topic is created if it is not there.

    Parameters
    ----------
    topic
        Where to.
    acks
        Who must have a record before it counts as written.
    codec
        How batches are compressed.
    idempotent
        Keep order, and write nothing twice when a connection breaks.
    """
    cluster = cluster or Cluster()
    settings: dict[str, Any] = {
        "enable.idempotence": idempotent and acks == "all",
        "acks": acks,
        "compression.type": codec,
        **cluster.settings(),
    }
    headers = tuple(_header(text) for text in header or ())
    timestamp_ms = _timestamp_ms(timestamp)
    total = file.stat().st_size if file is not None and file.is_file() else None
    target = TopicTarget(cluster.bootstrap, topic, settings=settings)
    count = done = 0
    try:
        target.prepare(lambda: None)
        with progress_bar(f"to {topic}", total) as progress:
            for line in _lines(value, file, is_whole=whole):
                done += len(line) + 1
                target.write(
                    _from_json(line, count + 1)._replace(offset=None)
                    if as_json
                    else _event(line, key, key_separator, headers, partition, timestamp_ms)
                )
                count += 1
                if progress is not None:
                    progress.update(TASK, completed=done)
            target.flush()
    finally:
        target.close()
    if sys.stderr.isatty():
        say(f"{count} records written to {topic}")


def _event(
    line: bytes,
    key: str | None,
    separator: str | None,
    headers: tuple[Header, ...],
    partition: int | None,
    timestamp_ms: int,
) -> Event:
    key_bytes = key.encode() if key is not None else None
    if separator is not None:
        before, found, after = line.partition(separator.encode())
        if not found:
            raise ReplayError(f"no {separator} in the line {line[:60].decode(errors='replace')}")
        key_bytes, line = before, after
    return Event(partition, None, timestamp_ms, key_bytes, line, headers)


def _lines(values: list[str] | None, file: Path | None, *, is_whole: bool) -> Iterator[bytes]:
    if values:
        yield from (each.encode() for each in values)
        return
    try:
        stream: BinaryIO = sys.stdin.buffer if file is None else open(file, "rb")  # noqa: SIM115
    except OSError as error:
        raise ReplayError(f"cannot read {file}: {error.strerror}") from None
    if file is None and sys.stdin.isatty():
        say("one record a line; Ctrl-D ends")
    with stream:
        if is_whole:
            yield stream.read()
            return
        for line in stream:
            yield line.removesuffix(b"\n")


def _from_json(line: bytes, number: int) -> Event:
    try:
        return jsonl.from_line(line)
    except ReplayError as error:
        raise ReplayError(f"line {number}: {error}") from None


def _header(text: str) -> Header:
    name, equals, value = text.partition("=")
    return name, value.encode() if equals else None


def _timestamp_ms(text: str | None) -> int:
    if text is None:
        return NO_TIMESTAMP
    now_ms = time.time_ns() // 1_000_000
    moment = parse_moment(text, now_ms)
    if moment.kind is Kind.OFFSET:
        return moment.number
    if moment.kind is not Kind.TIME:
        raise ReplayError(f"{text} is no time: write 2026-11-23T10:15, milliseconds since 1970, or -1h")
    return moment.number
