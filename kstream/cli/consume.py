"""`kstream consume`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from cyclopts import App, Parameter

from kstream.cli.connection import Cluster
from kstream.replay import jsonl
from kstream.replay.clients import new_consumer
from kstream.replay.errors import NoAnswer, ReplayError
from kstream.replay.event import Event
from kstream.replay.moments import BEGINNING, END, Range, parse_moment, parse_range, split_range
from kstream.replay.reaching import check_reachable
from kstream.replay.topic_source import (
    TopicSource,
    chosen,
    consumer_settings,
    partition_indexes,
    resolve,
    take,
    to_event,
)
from kstream.replay.where import all_of

app = App(name="consume", help="Print a topic's records: a range of them, or as they come.")

_FLUSH_S = 0.2


@app.default
def consume(
    topic: str,
    /,
    *,
    start: Annotated[
        str | None,
        Parameter(
            name="--from",
            help="beginning, end, an offset, -100 (the last 100), a time, or -1h.",
            allow_leading_hyphen=True,
        ),
    ] = None,
    until: Annotated[
        str | None,
        Parameter(
            help="The same; end is what is the end now. Without it, wait for more.", allow_leading_hyphen=True
        ),
    ] = None,
    group: Annotated[
        str | None, Parameter(help="Share the work as this group, and commit positions.")
    ] = None,
    partition: Annotated[list[int] | None, Parameter(help="Only these partitions.")] = None,
    where: Annotated[
        list[str] | None,
        Parameter(help="Only records with key=TEXT, header.NAME=TEXT, value~REGEX, ...; all hold."),
    ] = None,
    count: Annotated[int | None, Parameter(name="--max", help="Stop after so many.")] = None,
    form: Annotated[
        str,
        Parameter(
            name="--format",
            help="value, key-value, json, or a template such as '{partition}:{offset} {time} {key}={value}'.",
        ),
    ] = "value",
    as_json: Annotated[bool, Parameter(name="--json", help="The same as --format json.")] = False,
    uncommitted: Annotated[
        bool, Parameter(help="Also records of transactions that are open or were aborted.")
    ] = False,
    cluster: Cluster | None = None,
) -> None:
    """Print records of a topic, one a line.

    From the beginning on, unless told otherwise, and then waiting for more; a group goes on where it stopped.

    Parameters
    ----------
    topic
        The topic, or TOPIC@FROM:UNTIL such as orders@-1h: or orders@100:200.
    """
    cluster = cluster or Cluster()
    check_reachable(cluster.bootstrap, cluster.settings())
    name, span, is_bounded = _span(topic, start, until)
    is_committed_only = not uncommitted
    if group is not None:
        if span != Range() or partition is not None:
            raise ReplayError(
                "a group has its own positions and shares partitions out by itself: leave out --partition,"
                " and every range but --until end; kstream groups reset moves a group"
            )
        events = _of_group(cluster, name, group, is_bounded=is_bounded, is_committed_only=is_committed_only)
    else:
        read = _bounded if is_bounded else _following
        events = read(cluster, name, span, partition, is_committed_only=is_committed_only)
    _print(events, formatter("json" if as_json else form), all_of(where or ()), count)


def formatter(form: str) -> Callable[[Event], bytes]:
    """What makes a line of a record. Raises `ReplayError`."""
    if form == "json":
        return lambda event: jsonl.to_line(event).encode()
    if form == "value":
        return lambda event: event.value if event.value is not None else b"null"
    if form == "key-value":
        return lambda event: (event.key or b"") + b"\t" + (event.value or b"")

    def line(event: Event) -> bytes:
        fields = {
            "partition": event.partition,
            "offset": event.offset,
            "timestamp_ms": event.timestamp_ms,
            "time": datetime.fromtimestamp(event.timestamp_ms / 1000, UTC).isoformat(timespec="milliseconds"),
            "key": _text(event.key),
            "value": _text(event.value),
            "headers": ",".join(f"{name}={_text(value)}" for name, value in event.headers),
        }
        return form.format_map(fields).encode()

    try:
        line(Event(0, 0, 0, None, None))
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        raise ReplayError(
            f"--format {form}: {error!s} is no field; there are partition, offset, timestamp_ms, time, key,"
            " value and headers"
        ) from None
    return line


def _text(content: bytes | None) -> str:
    return "null" if content is None else content.decode(errors="replace")


def _span(topic: str, start: str | None, until: str | None) -> tuple[str, Range, bool]:
    """The topic's name, the range, and whether it has an end."""
    now_ms = time.time_ns() // 1_000_000
    name, range_text = split_range(topic)
    if range_text is not None:
        if start is not None or until is not None:
            raise ReplayError(f"{topic} says from where until where: leave out --from and --until")
        return name, parse_range(range_text, now_ms), True
    first = BEGINNING if start is None else parse_moment(start, now_ms)
    return name, Range(first, END if until is None else parse_moment(until, now_ms)), until is not None


def _bounded(
    cluster: Cluster, topic: str, span: Range, partitions: list[int] | None, *, is_committed_only: bool
) -> Iterator[Event]:
    source = TopicSource(
        cluster.bootstrap,
        topic,
        span,
        is_committed_only=is_committed_only,
        partitions=partitions,
        settings=cluster.settings(),
    )
    try:
        yield from source.events({})
    finally:
        source.close()


def _following(
    cluster: Cluster, topic: str, span: Range, partitions: list[int] | None, *, is_committed_only: bool
) -> Iterator[Event]:
    """Records from the start on, in the order they arrive, for ever."""
    consumer = new_consumer(consumer_settings(cluster.bootstrap, is_committed_only, cluster.settings()))
    try:
        indexes = partition_indexes(consumer, topic, cluster.bootstrap)
        wanted = chosen(topic, indexes, partitions)
        spans = resolve(consumer, topic, wanted, span)
        consumer.assign([TopicPartition(topic, index, each.start) for index, each in spans.items()])
        yield from _polled(consumer, topic)
    finally:
        consumer.close()


def _of_group(
    cluster: Cluster, topic: str, group: str, *, is_bounded: bool, is_committed_only: bool
) -> Iterator[Event]:
    """Records that a group hands to this member. A record counts as done once the next is asked for."""
    settings: dict[str, Any] = {
        **consumer_settings(cluster.bootstrap, is_committed_only, None),
        "group.id": group,
        "enable.auto.commit": True,
        "auto.offset.reset": "earliest",
        **cluster.settings(),
    }
    consumer = new_consumer(settings)
    try:
        partition_indexes(consumer, topic, cluster.bootstrap)
        consumer.subscribe([topic])
        for event in _polled(consumer, topic, stops_at_end=is_bounded):
            yield event
            consumer.store_offsets(
                offsets=[TopicPartition(topic, event.partition or 0, (event.offset or 0) + 1)]
            )
    finally:
        consumer.close()


def _polled(consumer: Consumer, topic: str, *, stops_at_end: bool = False) -> Iterator[Event]:
    ended: set[int] = set()
    while True:
        messages = take(consumer, _FLUSH_S)
        if not messages:
            _flush()
        for message in messages:
            error = message.error()
            if error is None:
                ended.discard(message.partition() or 0)
                yield to_event(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                _flush()
                ended.add(message.partition() or 0)
            elif error.code() in (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT):
                raise NoAnswer("the cluster", error.str())
            else:
                raise ReplayError(f"cannot read {topic}: {error.str()}")
        if stops_at_end and ended:
            assigned = {each.partition for each in consumer.assignment()}
            if assigned and assigned <= ended:
                return


def _print(
    events: Iterator[Event],
    line: Callable[[Event], bytes],
    where: Callable[[Event], bool] | None,
    count: int | None,
) -> None:
    write = sys.stdout.buffer.write
    printed = 0
    try:
        for event in events if count != 0 else ():
            if where is not None and not where(event):
                continue
            write(line(event) + b"\n")
            printed += 1
            if printed == count:
                break
    except KafkaException as error:
        raise ReplayError(error.args[0].str()) from None
    finally:
        _flush()
        if close := getattr(events, "close", None):
            close()  # a generator: a group is left properly, with its positions


def _flush() -> None:
    sys.stdout.buffer.flush()
