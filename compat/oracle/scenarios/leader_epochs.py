"""OffsetForLeaderEpoch."""

from __future__ import annotations

from compat.oracle.batches import batch
from compat.oracle.requests import NO_TOPIC, store
from compat.oracle.run import Run, scenario
from kstream.wire.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)

VERSIONS = range(2, 5)


def _ask(
    name: str, *partitions: OffsetForLeaderPartition, replica_id: int = -1
) -> OffsetForLeaderEpochRequest:
    return OffsetForLeaderEpochRequest(
        replica_id=replica_id, topics=[OffsetForLeaderTopic(topic=name, partitions=list(partitions))]
    )


def _of(index: int, epoch: int, current: int = -1) -> OffsetForLeaderPartition:
    return OffsetForLeaderPartition(partition=index, leader_epoch=epoch, current_leader_epoch=current)


@scenario
def offset_for_leader_epoch(run: Run) -> None:
    """Where epochs end: known, unknown, ahead; with and without the epoch the client thinks is current."""
    topic = run.topic("a", partitions=2)
    store(run, topic, batch(b"a", b"b"), batch(b"c"))
    for version in VERSIONS:
        for epoch in (0, 1, 100, -1, -2):
            run.call(f"epoch {epoch}", _ask(topic.name, _of(0, epoch)), version)
            run.call(f"epoch {epoch}, empty partition", _ask(topic.name, _of(1, epoch)), version)
        for current in (0, 1, 100, -2):
            run.call(f"current {current}", _ask(topic.name, _of(0, 0, current)), version)
            run.call(f"current {current}, unknown", _ask(topic.name, _of(7, 0, current)), version)
        for replica_id in (-2, 0, 1, 9):
            run.call(f"replica {replica_id}", _ask(topic.name, _of(0, 0), replica_id=replica_id), version)


@scenario
def offset_for_leader_epoch_unknown(run: Run) -> None:
    """Topics and partitions that do not exist, and ones that are named twice."""
    topic = run.topic("a", partitions=2)
    store(run, topic, batch(b"a"))
    for version in VERSIONS:
        run.call("no topics", OffsetForLeaderEpochRequest(replica_id=-1), version)
        run.call("no partitions", _ask(topic.name), version)
        run.call("unknown topic", _ask(NO_TOPIC.name, _of(0, 0)), version)
        run.call("empty name", _ask("", _of(0, 0)), version)
        for index in (2, -1):
            run.call(f"partition {index}", _ask(topic.name, _of(index, 0)), version)
        run.call("several", _ask(topic.name, _of(0, 0), _of(5, 0), _of(1, 0)), version)
        run.call("partition twice", _ask(topic.name, _of(0, 0), _of(0, 1)), version)
        twice = _ask(topic.name, _of(0, 0))
        twice.topics.append(_ask(topic.name, _of(1, 0)).topics[0])
        run.call("topic twice", twice, version)
