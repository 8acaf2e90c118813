"""`kstream replay`."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.progress import Progress

from kstream.cli.connection import Cluster
from kstream.cli.keys import HELP, Keys, listening
from kstream.cli.output import TASK, progress_bar, say
from kstream.replay.change import Change
from kstream.replay.ends import Source
from kstream.replay.errors import ReplayError
from kstream.replay.event import NO_TIMESTAMP, Event
from kstream.replay.moments import Range, parse_range, split_range
from kstream.replay.open import open_source, open_target
from kstream.replay.pace import Pace
from kstream.replay.places import FilePlace, Place, parse_place
from kstream.replay.progress_file import ProgressFile
from kstream.replay.run import Counts
from kstream.replay.run import replay as run
from kstream.replay.where import all_of

app = App(name="replay", help="Carry records from a topic, file or data directory to another, at any speed.")

_SHOWN_EVERY_S = 0.1


@Parameter(name="*")
@dataclass
class Which:
    """Which records."""

    where: Annotated[
        list[str],
        Parameter(help="Only records with key=TEXT, header.NAME=TEXT, value~REGEX, ...; all hold."),
    ] = field(default_factory=list)
    count: Annotated[int | None, Parameter(name="--max", help="Stop after so many.")] = None
    uncommitted: Annotated[
        bool, Parameter(help="Also records of transactions that are open or were aborted.")
    ] = False


@Parameter(name="*")
@dataclass
class How:
    """How fast, and how it may be interrupted."""

    speed: Annotated[
        float | None, Parameter(help="Keep the time between records: 1 as it was, 10 ten times as fast.")
    ] = None
    rate: Annotated[float | None, Parameter(help="So many records a second.")] = None
    resume: Annotated[
        Path | None, Parameter(help="Keep in this file how far it came, and go on from there.")
    ] = None
    step: Annotated[bool, Parameter(help="Wait for Enter or s before each record.")] = False
    dry_run: Annotated[bool, Parameter(help="Only count what would be written.")] = False


@Parameter(name="*")
@dataclass
class Changes:
    """What is to be different."""

    partition: Annotated[int | None, Parameter(help="Put all into this partition.")] = None
    partition_by_key: Annotated[bool, Parameter(help="Choose partitions anew, by key.")] = False
    key: Annotated[str | None, Parameter(help="Give every record this key.")] = None
    drop_key: Annotated[bool, Parameter(help="Leave keys out.")] = False
    header: Annotated[list[str], Parameter(help="Set a header, NAME=VALUE.")] = field(default_factory=list)
    drop_header: Annotated[list[str], Parameter(help="Leave a header out.")] = field(default_factory=list)
    new_timestamps: Annotated[bool, Parameter(help="Give the time of writing.")] = False

    def change(self) -> Change | None:
        headers = [text.partition("=") for text in self.header]
        change = Change(
            partition=self.partition,
            is_partitioned_anew=self.partition_by_key,
            key=None if self.key is None else self.key.encode(),
            drops_key=self.drop_key,
            headers=tuple((name, value.encode() if equals else None) for name, equals, value in headers),
            dropped_headers=frozenset(self.drop_header),
            drops_timestamp=self.new_timestamps,
        )
        return None if change == Change() else change


@app.default
def replay(
    source: Annotated[str, Parameter(allow_leading_hyphen=True)],
    target: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    which: Which | None = None,
    how: How | None = None,
    changes: Changes | None = None,
    cluster: Cluster | None = None,
) -> None:
    """Carry records from SOURCE to TARGET.

    Partition, key, value, headers and timestamp stay as they are unless an option changes them; a topic gives
    offsets anew. No group's positions are touched. On a terminal, space pauses, s steps, q ends.

    Parameters
    ----------
    source
        A topic (orders), one elsewhere (host:9092/orders), one in a data directory (./kstream-data/orders),
        or a file (orders.jsonl, orders.parquet, - for a pipe). Behind an @ a range: @-1h: or @100:200 or
        @2026-11-23T10:00:2026-11-23T11:00.
    target
        The same, without a range. What is not there is made.
    """
    cluster, which, how = cluster or Cluster(), which or Which(), how or How()
    name, span = _span(source)
    origin, goal = (parse_place(each, cluster.bootstrap) for each in (name, target))
    if origin == goal:
        raise ReplayError(f"{name} would be replayed into itself")
    progress_file = None
    if how.resume is not None and not how.dry_run:
        progress_file = ProgressFile(how.resume, source=source, target=str(goal))
    pace = Pace(speed=how.speed, rate=how.rate, clock=time.monotonic, sleep=time.sleep)
    condition = all_of(which.where)
    with ExitStack() as stack:
        events = stack.enter_context(
            closing(
                open_source(
                    origin, span, is_committed_only=not which.uncommitted, settings=cluster.settings()
                )
            )
        )
        to = None
        if not how.dry_run:
            kept_bytes = progress_file.load().target_bytes if progress_file is not None else None
            to = open_target(goal, kept_bytes=kept_bytes, settings=cluster.settings())
            stack.enter_context(closing(to))
        progress = stack.enter_context(progress_bar(f"{name} to {target}", events.total))
        keys = None if _is_pipe(origin) else stack.enter_context(listening(is_paused=how.step))
        counts = run(
            events,
            to,
            pace=pace,
            where=condition,
            change=changes.change() if changes is not None else None,
            limit=which.count,
            progress_file=progress_file,
            before_each=_waiter(keys),
            after_each=None if progress is None else _Shower(progress, events, keys).show,
        )
    _say_result(counts, target, is_dry=how.dry_run)
    if lost := getattr(to, "zero_timestamps", 0):
        say(
            f"{lost} records had the timestamp 0, which the client library cannot send: theirs is the present"
        )


def _span(source: str) -> tuple[str, Range]:
    name, text = split_range(source)
    if text is None or "/" in text:  # an @ in a path
        return source, Range()
    return name, parse_range(text, time.time_ns() // 1_000_000)


def _is_pipe(place: Place) -> bool:
    return isinstance(place, FilePlace) and place.path is None


def _waiter(keys: Keys | None) -> Callable[[Event], None] | None:
    return None if keys is None else lambda event: keys.wait()


class _Shower:
    """Moves the progress bar, with where the replay is in event time."""

    def __init__(self, progress: Progress, source: Source, keys: Keys | None) -> None:
        self._progress = progress
        self._source = source
        self._keys = keys
        self._shown_s = 0.0

    def show(self, counts: Counts) -> None:
        now_s = time.monotonic()
        if now_s - self._shown_s < _SHOWN_EVERY_S:
            return
        self._shown_s = now_s
        notes = [f"{counts.written} written", _time(counts.last_timestamp_ms)]
        if self._keys is not None:
            notes.append("paused" if self._keys.is_paused else HELP)
        self._progress.update(
            TASK, completed=self._source.done, note="; ".join(each for each in notes if each)
        )


def _say_result(counts: Counts, target: str, *, is_dry: bool) -> None:
    until = _time(counts.last_timestamp_ms)
    say(
        f"{counts.written} of {counts.read} records {'would go' if is_dry else 'went'} to {target}"
        + (f", up to {until}" if until else "")
    )


def _time(timestamp_ms: int | None) -> str:
    if timestamp_ms is None or timestamp_ms == NO_TIMESTAMP:
        return ""
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC).isoformat(sep=" ", timespec="milliseconds")
