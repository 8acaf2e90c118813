"""CreatePartitions."""

from __future__ import annotations

from typing import Any

from compat.oracle.run import Run, scenario
from kstream.wire.messages.create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from kstream.wire.messages.metadata import MetadataRequest, MetadataRequestTopic

VERSIONS = range(4)


def _topic(name: str, count: int, assigned: list[list[int]] | None = None) -> CreatePartitionsTopic:
    assignments = (
        None if assigned is None else [CreatePartitionsAssignment(broker_ids=ids) for ids in assigned]
    )
    return CreatePartitionsTopic(name=name, count=count, assignments=assignments)


def _grow(*topics: CreatePartitionsTopic, **fields: Any) -> CreatePartitionsRequest:
    return CreatePartitionsRequest(topics=list(topics), **{"timeout_ms": 10_000} | fields)


@scenario
def create_partitions(run: Run) -> None:
    """More partitions, the same, fewer; unknown topics; the same topic twice."""
    for version in VERSIONS:
        topic = run.topic(f"v{version}", partitions=2)
        other = run.topic(f"v{version}-other")
        run.call("none", _grow(), version)
        for count in (2, 1, 0, -1, 3):
            request = _grow(_topic(topic.name, count), validate_only=True)
            run.call(f"to {count}, validated only", request, version)
        for count in (2, 1, 0, -1, 4):
            run.call(f"to {count}", _grow(_topic(topic.name, count)), version)
        run.until_served(topic.name, 4)
        asked = MetadataRequest(
            topics=[MetadataRequestTopic(name=topic.name)], allow_auto_topic_creation=False
        )
        run.call(f"after v{version}", asked, 12)
        run.call("unknown", _grow(_topic("no-such-topic", 4)), version)
        run.call("empty name", _grow(_topic("", 4)), version)
        run.call("invalid name", _grow(_topic("a b", 4)), version)
        run.call("twice", _grow(_topic(topic.name, 5), _topic(topic.name, 6)), version)
        mixed = _grow(_topic("no-such-topic", 4), _topic(other.name, 2), _topic(topic.name, 1))
        run.call("wrong beside right", mixed, version)
        run.call("timeout 0", _grow(_topic(other.name, 3), timeout_ms=0), version)
        run.call("timeout negative", _grow(_topic(other.name, 4), timeout_ms=-1), version)
        run.call("far too many", _grow(_topic(other.name, 1_000_000), validate_only=True), version)


@scenario
def create_partitions_assignments(run: Run) -> None:
    """Assignments by hand."""
    cases: dict[str, tuple[int, list[list[int]]]] = {
        "empty": (2, []),
        "one": (3, [[1]]),
        "two": (5, [[1], [1]]),
        "one too few": (7, [[1]]),
        "one too many": (6, [[1], [1]]),
        "no such broker": (6, [[2]]),
        "negative broker": (6, [[-1]]),
        "broker twice": (6, [[1, 1]]),
        "two replicas": (6, [[1, 2]]),
        "no replicas": (6, [[]]),
        "uneven": (7, [[1], [1, 2]]),
        "for fewer": (1, [[1]]),
        "for as many": (5, [[1]]),
    }
    for version in VERSIONS:
        topic = run.topic(f"v{version}")
        for note, (count, assigned) in cases.items():
            run.call(note, _grow(_topic(topic.name, count, assigned)), version)
