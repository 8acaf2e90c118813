"""The two servers, with the same settings where a setting can show."""

from __future__ import annotations

import os
from pathlib import Path

from compat.kafka_server import KafkaServer
from compat.kstream_server import KstreamServer

SETTINGS = {
    "num.partitions": "1",
    "auto.create.topics.enable": "true",
    "fetch.max.bytes": "57671680",
    # Garbage is answered or closed at once; idleness is not what the oracle measures.
    "connections.max.idle.ms": "600000",
    # Records of scenarios are years old: no retention while they run.
    "log.initial.task.delay.ms": "3600000",
    "log.retention.check.interval.ms": "3600000",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "200",
    "group.max.size": "3",
    "group.share.max.size": "3",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
}
NODE_ID = 1
_AS_KAFKA = {"kstream.share.initialization.wait.ms": "0"}
"""Where kstream is quicker unless it is told otherwise."""
_HEAP = "512M"


def kafka(parent: Path | None = None) -> KafkaServer:
    """Apache Kafka, not yet started."""
    return KafkaServer(SETTINGS, heap=os.environ.get("KSTREAM_ORACLE_HEAP", _HEAP), parent=parent)


def kstream(parent: Path | None = None) -> KstreamServer:
    """kstream as a process of its own, not yet started."""
    return KstreamServer({"node.id": str(NODE_ID), **_AS_KAFKA, **SETTINGS}, parent=parent)
