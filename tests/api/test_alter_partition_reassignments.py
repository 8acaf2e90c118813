"""AlterPartitionReassignments: what can be changed without copying."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio

from kstream.broker.metadata.image import PartitionImage
from kstream.broker.metadata.store import Change
from kstream.errors import ErrorCode
from kstream.records.schemas.metadata import PartitionChangeRecord, RegisterBrokerRecord
from kstream.wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignableTopic,
)
from tests.api.conftest import Asker

INVALID = ErrorCode.INVALID_REPLICA_ASSIGNMENT


def _assign(
    asker: Asker,
    replicas: Sequence[int] | None,
    *,
    topic: str = "t",
    index: int = 0,
    version: int = 1,
    can_resize: bool = True,
    timeout_ms: int = 1000,
) -> tuple[int, int]:
    """Error codes of the request and of the partition."""
    partition = ReassignablePartition(
        partition_index=index, replicas=None if replicas is None else list(replicas)
    )
    request = AlterPartitionReassignmentsRequest(
        topics=[ReassignableTopic(name=topic, partitions=[partition])], timeout_ms=timeout_ms
    )
    if version:
        request.allow_replication_factor_change = can_resize
    answer = asker.ask(request, version, AlterPartitionReassignmentsResponse)
    assert answer.allow_replication_factor_change == can_resize
    assert answer.responses[0].partitions[0].partition_index == index
    return answer.error_code, answer.responses[0].partitions[0].error_code


def _partition(asker: Asker) -> PartitionImage:
    return asker.broker.metadata.image.topics_by_name["t"].partitions[0]


@pytest.fixture
def replicated(asker: Asker) -> Asker:
    """Partition 0 of `t` as a cluster of two brokers, one of which is gone, leaves it behind."""
    asker.create("t")
    records = [
        RegisterBrokerRecord(broker_id=2, broker_epoch=100, fenced=True),
        RegisterBrokerRecord(broker_id=3, broker_epoch=101, fenced=True),
        PartitionChangeRecord(
            partition_id=0,
            topic_id=asker.topic_id("t"),
            replicas=[2, 1],
            isr=[1],
            directories=[b"b" * 16, b"a" * 16],
        ),
    ]
    trio.run(asker.broker.metadata.update, lambda image: Change(None, records))
    return asker


@pytest.mark.parametrize("version", [0, 1])
def test_on_one_node(asker: Asker, version: int) -> None:
    asker.create("t")
    before = _partition(asker)
    assert _assign(asker, [1], version=version) == (0, 0)
    assert _assign(asker, None, version=version) == (0, ErrorCode.NO_REASSIGNMENT_IN_PROGRESS)
    for replicas in ([], [2], [1, 2], [1, 1], [-1]):
        assert _assign(asker, replicas, version=version) == (0, INVALID)
    unknown = (0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    assert _assign(asker, [1], version=version, topic="nothing") == unknown
    assert _assign(asker, None, version=version, index=1) == unknown
    late = ErrorCode.REQUEST_TIMED_OUT
    assert _assign(asker, [1], version=version, timeout_ms=0) == (late, late)
    assert _partition(asker) == before


def test_replicas_change_places(replicated: Asker) -> None:
    assert _assign(replicated, [1, 2], can_resize=False) == (0, 0)
    changed = _partition(replicated)
    assert (changed.replicas, changed.isr, changed.leader) == ((1, 2), (1,), 1)
    assert changed.directories == (b"a" * 16, b"b" * 16)


def test_replicas_that_are_gone_are_given_up(replicated: Asker) -> None:
    epoch = _partition(replicated).leader_epoch
    assert _assign(replicated, [1], can_resize=False) == (0, ErrorCode.INVALID_REPLICATION_FACTOR)
    assert _assign(replicated, [1]) == (0, 0)
    changed = _partition(replicated)
    assert (changed.replicas, changed.isr, changed.leader, changed.leader_epoch) == ((1,), (1,), 1, epoch)


def test_what_needs_copying_is_refused(replicated: Asker) -> None:
    before = _partition(replicated)
    assert _assign(replicated, [1, 3]) == (0, INVALID)
    assert _assign(replicated, [2]) == (0, INVALID)
    assert _partition(replicated) == before
