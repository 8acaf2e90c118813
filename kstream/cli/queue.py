"""`kstream queue`: share groups as queues, and bringing back what became dead letters."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import quote

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import ConfigResource
from cyclopts import App, Parameter

from kstream.cli.connection import Cluster
from kstream.cli.output import AsJson, print_json, print_rows, progress_bar, say
from kstream.cli.over_http import HttpServer
from kstream.replay.errors import NoAnswer, ReplayError
from kstream.replay.topic_source import consumer_settings, to_event
from kstream.replay.topic_target import producer_settings
from kstream.replay.where import all_of

app = App(name="queue", help="Share groups as queues: depth, contents, purging; redrive of dead letters.")

_COLUMNS = [
    *("topic", "partition", "depth", "in_flight", "scheduled", "oldest_age_ms"),
    *("delivered", "redelivered", "accepted", "given_up", "dead_lettered"),
]
_DEAD_LETTER_TOPIC = "errors.deadletterqueue.topic.name"
_HEADERS = "__dlq.errors."
_POLL_S = 5.0
_SEND_S = 30.0


@app.command
def stats(group: str, /, *, as_json: AsJson = False, server: HttpServer | None = None) -> None:
    """How much waits, how old it is, and what has become of the rest since the server started.

    Parameters
    ----------
    group
        The share group.
    """
    queue = (server or HttpServer()).ask("GET", f"/v1/queues/{quote(group)}")
    if as_json:
        print_json(queue)
        return
    print_rows(queue["partitions"], _COLUMNS, as_json=False, none=f"{group} has begun with no partition")
    say(f"depth {queue['depth']}")


@app.command
def peek(
    group: str,
    /,
    *,
    count: Annotated[int, Parameter(name="--max", help="How many of each partition.")] = 10,
    as_json: AsJson = False,
    server: HttpServer | None = None,
) -> None:
    """Show the first records that are not done with; nothing is acquired.

    Parameters
    ----------
    group
        The share group.
    """
    records = (server or HttpServer()).ask("GET", f"/v1/queues/{quote(group)}/records?limit={count}")
    columns = ["topic", "partition", "offset", "state", "delivery_count", "key", "value"]
    print_rows(records, columns, as_json=as_json, none="nothing waits")


@app.command
def purge(group: str, /, *, server: HttpServer | None = None) -> None:
    """Have a group without members begin behind everything that is there now.

    Parameters
    ----------
    group
        The share group.
    """
    (server or HttpServer()).ask("DELETE", f"/v1/queues/{quote(group)}/records")
    say(f"{group} begins behind all that is there")


@app.command
def redrive(
    group: str,
    /,
    *,
    where: Annotated[
        list[str] | None,
        Parameter(help="Only letters with key=TEXT, header.NAME=TEXT, value~REGEX, ..."),
    ] = None,
    count: Annotated[int | None, Parameter(name="--max", help="At most so many.")] = None,
    rate: Annotated[float | None, Parameter(help="At most so many a second.")] = None,
    dry_run: Annotated[bool, Parameter(help="Say what would be sent, and send nothing.")] = False,
    cluster: Cluster | None = None,
) -> None:
    """Bring a group's dead letters back into the topics that they came from.

    Each is sent once: the next redrive goes on behind the last one, which the positions of the consumer
    group `redrive.GROUP` remember. Records are fetched from where the letters say that they are; where the
    topic has lost one, the copy in the letter is sent, if the group has its records copied.

    Parameters
    ----------
    group
        The share group.
    """
    cluster = cluster or Cluster()
    if rate is not None and rate <= 0:
        raise ReplayError("--rate is more than 0")
    topic = _dead_letter_topic(cluster, group)
    condition = all_of(where or [])
    resender = _Resender(cluster)
    sent = passed = 0
    with progress_bar("redrive", count) as progress:
        for letter, commit in _letters(cluster, topic, group):
            origin = _origin(letter)
            if origin is None or origin[0] != group or (condition and not condition(to_event(letter))):
                passed += 1
                continue
            if not dry_run:
                resender.send(letter, *origin[1:])
                commit(letter)
            sent += 1
            if progress is not None:
                progress.advance(progress.task_ids[0])
            if sent == count:
                break
            if rate is not None and not dry_run:
                time.sleep(1 / rate)
    resender.close()
    say(f"{'would send' if dry_run else 'sent'} {sent} of {topic}, passed over {passed}")


def _dead_letter_topic(cluster: Cluster, group: str) -> str:
    resource = ConfigResource(ConfigResource.Type.GROUP, group)
    configs = cluster.ask(cluster.admin().describe_configs([resource])[resource], f"ask for {group}")
    entry = configs.get(_DEAD_LETTER_TOPIC)
    if entry is None or not entry.value:
        raise ReplayError(f"{group} has no dead letters: {_DEAD_LETTER_TOPIC} is not set")
    return str(entry.value)


def _letters(cluster: Cluster, topic: str, group: str) -> Iterator[tuple[Message, Any]]:
    """Dead letters from where the last redrive ended to the present end, and what notes one as done."""
    settings = {
        **consumer_settings(cluster.bootstrap, True, cluster.settings()),
        "group.id": f"redrive.{group}",
        "enable.auto.commit": False,
        "enable.partition.eof": False,
    }
    consumer = Consumer(settings)
    try:
        found = consumer.list_topics(topic, timeout=_POLL_S).topics[topic]
        if found.error is not None:
            raise ReplayError(f"{topic}: {found.error.str()}")
        wanted = [TopicPartition(topic, index) for index in sorted(found.partitions)]
        for committed in consumer.committed(wanted, timeout=_POLL_S):
            begin, end = consumer.get_watermark_offsets(TopicPartition(topic, committed.partition), _POLL_S)
            at = max(committed.offset, begin)
            consumer.assign([TopicPartition(topic, committed.partition, at)])
            while at < end:
                message = consumer.poll(_POLL_S)
                if message is None:
                    break
                if (error := message.error()) is not None:
                    raise ReplayError(f"{topic}: {error.str()}")
                at = (message.offset() or 0) + 1
                yield message, lambda done: consumer.commit(message=done, asynchronous=False)
    except KafkaException as error:
        raise NoAnswer(cluster.bootstrap, error.args[0].str()) from None
    finally:
        consumer.close()


def _origin(letter: Message) -> tuple[str, str, int, int] | None:
    """Group, topic, partition and offset that a dead letter names; None if it is none."""
    said = {
        name.removeprefix(_HEADERS): value.decode()
        for name, value in to_event(letter).headers
        if name.startswith(_HEADERS) and isinstance(value, bytes)
    }
    try:
        return said["group"], said["topic"], int(said["partition"]), int(said["offset"])
    except (KeyError, ValueError):
        return None


class _Resender:
    """Sends records again from where dead letters say that they are, or from the letter if they are gone."""

    def __init__(self, cluster: Cluster) -> None:
        self._producer = Producer(producer_settings(cluster.bootstrap, cluster.settings()))
        self._consumer = Consumer(consumer_settings(cluster.bootstrap, True, cluster.settings()))

    def close(self) -> None:
        self._consumer.close()

    def send(self, letter: Message, topic: str, partition: int, offset: int) -> None:
        """Return once it is acknowledged. A copy in the letter has no headers of the record's own."""
        record = self._original(topic, partition, offset)
        if record is None and (letter.value() is not None or letter.key() is not None):
            record = letter
        if record is None:
            say(f"{topic}-{partition} has lost the record at {offset}; the letter is no copy: passed over")
            return
        headers: list[tuple[str, str | bytes | None]] = [
            (name, value) for name, value in to_event(record).headers if not name.startswith(_HEADERS)
        ]
        failures: list[str] = []
        self._producer.produce(
            topic,
            record.value(),
            record.key(),
            partition=partition,
            headers=headers,
            on_delivery=lambda error, _: failures.append(error.str()) if error else None,
        )
        if self._producer.flush(_SEND_S) or failures:
            raise ReplayError(f"{topic} did not take a record: {', '.join(failures) or 'no answer'}")

    def _original(self, topic: str, partition: int, offset: int) -> Message | None:
        begin, end = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), _POLL_S)
        if not begin <= offset < end:
            return None
        self._consumer.assign([TopicPartition(topic, partition, offset)])
        message = self._consumer.poll(_POLL_S)
        is_it = message is not None and message.error() is None and message.offset() == offset
        return message if is_it else None
