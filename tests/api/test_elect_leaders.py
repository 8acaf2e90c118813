"""ElectLeaders: preferred and unclean elections."""

from __future__ import annotations

import pytest
import trio

from kstream.broker.metadata.image import PartitionImage
from kstream.broker.metadata.store import Change
from kstream.errors import ErrorCode
from kstream.records.schemas.metadata import PartitionChangeRecord, RegisterBrokerRecord
from kstream.wire.messages.elect_leaders import ElectLeadersRequest, ElectLeadersResponse, TopicPartitions
from tests.api.conftest import Asker

PREFERRED, UNCLEAN = 0, 1
NOT_NEEDED = ErrorCode.ELECTION_NOT_NEEDED

Codes = dict[tuple[str, int], int]


def _elect(
    asker: Asker, kind: int, *wanted: tuple[str, list[int]], version: int = 2, timeout_ms: int = 1000
) -> tuple[int, Codes]:
    topics = [TopicPartitions(topic=name, partitions=partitions) for name, partitions in wanted]
    return _codes(
        asker,
        ElectLeadersRequest(election_type=kind, topic_partitions=topics, timeout_ms=timeout_ms),
        version,
    )


def _codes(asker: Asker, request: ElectLeadersRequest, version: int = 2) -> tuple[int, Codes]:
    answer = asker.ask(request, version, ElectLeadersResponse)
    return answer.error_code, {
        (topic.topic, partition.partition_id): partition.error_code
        for topic in answer.replica_election_results
        for partition in topic.partition_result
    }


def _become(asker: Asker, **change: object) -> None:
    """Make partition 0 of `t` one that a cluster of three brokers could have left behind."""
    record = PartitionChangeRecord(partition_id=0, topic_id=asker.topic_id("t"), **change)  # type: ignore[arg-type]
    fenced = [RegisterBrokerRecord(broker_id=each, broker_epoch=100, fenced=True) for each in (2, 3)]
    trio.run(asker.broker.metadata.update, lambda image: Change(None, [*fenced, record]))


def _partition(asker: Asker) -> PartitionImage:
    return asker.broker.metadata.image.topics_by_name["t"].partitions[0]


@pytest.mark.parametrize("version", range(3))
def test_no_election_is_needed(asker: Asker, version: int) -> None:
    asker.create("t", partitions=2)
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    _, codes = _elect(asker, PREFERRED, ("t", [0, 1, 2]), ("nothing", [0]), version=version)
    assert codes == {("t", 0): NOT_NEEDED, ("t", 1): NOT_NEEDED, ("t", 2): unknown, ("nothing", 0): unknown}
    assert _codes(asker, ElectLeadersRequest(topic_partitions=None), version) == (0, {})


def test_the_preferred_leader_takes_over(asker: Asker) -> None:
    asker.create("t")
    _become(asker, replicas=[1, 2], isr=[1, 2], leader=2)
    epoch = _partition(asker).leader_epoch
    assert _elect(asker, PREFERRED, ("t", [0])) == (0, {("t", 0): 0})
    assert (_partition(asker).leader, _partition(asker).leader_epoch) == (1, epoch + 1)
    assert _elect(asker, PREFERRED, ("t", [0])) == (0, {("t", 0): NOT_NEEDED})


def test_a_preferred_leader_that_is_not_there(asker: Asker) -> None:
    asker.create("t")
    _become(asker, replicas=[2, 1], isr=[1])
    failed = {("t", 0): ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE}
    assert _elect(asker, PREFERRED, ("t", [0])) == (0, failed)
    assert _codes(asker, ElectLeadersRequest(topic_partitions=None)) == (0, failed)


def test_an_unclean_election_needs_a_live_replica(asker: Asker) -> None:
    asker.create("t")
    _become(asker, replicas=[2, 1], isr=[2], leader=-1)
    assert _elect(asker, UNCLEAN, ("t", [0])) == (0, {("t", 0): 0})
    assert (_partition(asker).leader, _partition(asker).isr) == (1, (1,))
    _become(asker, replicas=[2, 3], isr=[2], leader=-1)
    assert _elect(asker, UNCLEAN, ("t", [0])) == (0, {("t", 0): ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE})


def test_requests_that_are_wrong_as_a_whole(asker: Asker) -> None:
    asker.create("t")
    invalid = ErrorCode.INVALID_REQUEST
    assert _elect(asker, 2, ("t", [0])) == (invalid, {("t", 0): invalid})
    assert _elect(asker, 2) == (0, {})
    late = ErrorCode.REQUEST_TIMED_OUT
    assert _elect(asker, PREFERRED, ("t", [0]), timeout_ms=0) == (late, {("t", 0): late})
    assert _elect(asker, PREFERRED, ("t", [0]), timeout_ms=0, version=0) == (0, {("t", 0): late})
