"""The servers that are measured, and their topics."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions, NewTopic

from benchmarks.peers.others import KfakeServer, PeerUnavailable, TansuServer, kfake_version, tansu_version
from compat.kafka_jars import KAFKA_VERSION, KafkaUnavailable
from compat.kafka_server import KafkaServer
from compat.kstream_server import KstreamServer
from compat.server_process import ServerFailed, ServerProcess

# What `server` and `ServerProcess.start` raise when a peer cannot be had or started.
CANNOT_START = (KafkaUnavailable, PeerUnavailable, ServerFailed, OSError)

# Deleted topics leave the disk soon, so that a run needs the room of one topic and not of all.
KAFKA_PROPERTIES = {"log.segment.delete.delay.ms": "1000"}


@dataclass(frozen=True)
class Peer:
    """A server to measure. `make` takes the folder that its own goes into, and a broker's settings; `note` is
    for the report.
    """

    make: Callable[[Path, Mapping[str, str]], ServerProcess]
    version: Callable[[], str]
    note: str


PEERS = {
    "kstream": Peer(
        lambda parent, settings: KstreamServer(settings, parent=parent),
        lambda: "this",
        "default configuration",
    ),
    "kafka": Peer(
        lambda parent, settings: KafkaServer({**KAFKA_PROPERTIES, **settings}, parent=parent),
        lambda: KAFKA_VERSION,
        "one KRaft node, the JVM options of its start script, 1 GB of heap, warmed by the same work",
    ),
    "kfake": Peer(lambda parent, _: KfakeServer(parent=parent), kfake_version, "in memory, nothing on disk"),
    "tansu": Peer(lambda parent, _: TansuServer(parent=parent), tansu_version, "in memory, nothing on disk"),
}
# Said in every report, so that nobody takes them for forgotten.
NOT_TO_BE_HAD = {
    "redpanda": "no package registry has its broker; it comes as a container image or a Linux package"
}

_PARTITIONS_AT_ONCE_MAX = 5_000
"""Kafka takes less than 10,000 in one request."""
_topic_numbers = itertools.count()


def server(peer: str, parent: Path, settings: Mapping[str, str] | None = None) -> ServerProcess:
    """A server that is not started yet, with its folder under `parent`. Raises one of CANNOT_START."""
    return PEERS[peer].make(parent, settings or {})


@contextmanager
def fresh_topic(
    bootstrap: str, partitions: int = 1, configs: Mapping[str, str] | None = None
) -> Iterator[str]:
    """A new topic, deleted at the end."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 4})
    name = f"bench-{next(_topic_numbers)}"
    count = min(partitions, _PARTITIONS_AT_ONCE_MAX)
    admin.create_topics([NewTopic(name, count, 1, config=dict(configs or {}))])[name].result(60)
    while count < partitions:
        count = min(partitions, count + _PARTITIONS_AT_ONCE_MAX)
        admin.create_partitions([NewPartitions(name, count)])[name].result(60)
    try:
        yield name
    finally:
        admin.delete_topics([name])[name].result(60)
