"""The servers that are measured, and their topics."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from compat.kafka_server import KafkaServer
from compat.kstream_server import KstreamServer
from compat.server_process import ServerProcess

PEERS = ("kstream", "kafka")

# Deleted topics leave the disk soon, so that a run needs the room of one topic and not of all.
KAFKA_PROPERTIES = {"log.segment.delete.delay.ms": "1000"}

_topic_numbers = itertools.count()


def server(peer: str, parent: Path) -> ServerProcess:
    """A server that is not started yet, with its folder under `parent`. Raises KafkaUnavailable."""
    if peer == "kstream":
        return KstreamServer(parent=parent)
    if peer == "kafka":
        return KafkaServer(KAFKA_PROPERTIES, parent=parent)
    raise ValueError(f"no such peer: {peer} (there are {', '.join(PEERS)})")


@contextmanager
def fresh_topic(bootstrap: str, partitions: int = 1) -> Iterator[str]:
    """A new topic, deleted at the end."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 4})
    name = f"bench-{next(_topic_numbers)}"
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)
    try:
        yield name
    finally:
        admin.delete_topics([name])[name].result(30)
