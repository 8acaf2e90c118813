"""`kstream queue`: share groups as queues, and bringing back what became dead letters."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Annotated
from urllib.parse import quote

from confluent_kafka.admin import ConfigResource
from cyclopts import App, Parameter

from kstream.cli.connection import Cluster
from kstream.cli.output import TASK, AsJson, print_json, print_rows, progress_bar, say
from kstream.cli.over_http import HttpServer
from kstream.cli.redriving import Letters, Resender
from kstream.replay.errors import ReplayError
from kstream.replay.topic_source import to_event
from kstream.replay.where import all_of

app = App(name="queue", help="Share groups as queues: depth, contents, purging; redrive of dead letters.")

_COLUMNS = [
    *("topic", "partition", "depth", "in_flight", "scheduled", "oldest_age_ms"),
    *("delivered", "redelivered", "accepted", "given_up", "dead_lettered"),
]
_DEAD_LETTER_TOPIC = "errors.deadletterqueue.topic.name"


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

    Each is sent once: the consumer group `redrive.GROUP` remembers which were, and those that a filter
    passed over are there for the next redrive. Records are fetched from where the letters say that they are;
    where the topic has lost one, the copy in the letter is sent, if the group has its records copied.

    Parameters
    ----------
    group
        The share group.
    """
    cluster = cluster or Cluster()
    if count is not None and count <= 0:
        raise ReplayError("--max is more than 0")
    if rate is not None and not rate > 0:
        raise ReplayError("--rate is more than 0")
    topic = _dead_letter_topic(cluster, group)
    condition = all_of(where or [])
    sent = passed = 0
    with (
        closing(Letters(cluster, topic, group)) as letters,
        closing(Resender(cluster)) as resender,
        progress_bar("redrive", count) as progress,
    ):
        for letter, origin in letters:
            if condition is not None and not condition(to_event(letter)):
                passed += 1
                continue
            if not dry_run:
                resender.send(letter, origin)
                letters.done(letter)
            sent += 1
            if progress is not None:
                progress.advance(TASK)
            if sent == count:
                break
            if rate is not None and not dry_run:
                time.sleep(1 / rate)
    say(f"{'would send' if dry_run else 'sent'} {sent} of {topic}, passed over {passed}")


def _dead_letter_topic(cluster: Cluster, group: str) -> str:
    if not group:
        raise ReplayError("name a share group")
    resource = ConfigResource(ConfigResource.Type.GROUP, group)
    configs = cluster.ask(cluster.admin().describe_configs([resource])[resource], f"ask for {group}")
    entry = configs.get(_DEAD_LETTER_TOPIC)
    if entry is None or not entry.value:
        raise ReplayError(f"{group} has no dead letters: {_DEAD_LETTER_TOPIC} is not set")
    return str(entry.value)
