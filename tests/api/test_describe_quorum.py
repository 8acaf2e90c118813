"""DescribeQuorum: a quorum of one."""

from __future__ import annotations

import pytest

from kstream.errors import ErrorCode
from kstream.wire.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumRequestPartitionData,
    DescribeQuorumRequestTopicData,
    DescribeQuorumResponse,
)
from tests.api.conftest import Asker

METADATA = "__cluster_metadata"


def _ask(asker: Asker, version: int, *wanted: tuple[str, list[int]]) -> DescribeQuorumResponse:
    topics = [
        DescribeQuorumRequestTopicData(
            topic_name=name,
            partitions=[DescribeQuorumRequestPartitionData(partition_index=index) for index in indexes],
        )
        for name, indexes in wanted
    ]
    return asker.ask(DescribeQuorumRequest(topics=topics), version, DescribeQuorumResponse)


@pytest.mark.parametrize("version", range(3))
def test_the_quorum(asker: Asker, version: int) -> None:
    asker.create("t")
    answer = _ask(asker, version, (METADATA, [0]))
    (topic,) = answer.topics
    (partition,) = topic.partitions
    assert (topic.topic_name, partition.error_code, partition.leader_id) == (METADATA, 0, 1)
    assert partition.leader_epoch >= 1
    (voter,) = partition.current_voters
    end_offset = asker.broker.metadata.image.offset + 1
    assert (voter.replica_id, voter.log_end_offset, partition.high_watermark) == (1, end_offset, end_offset)
    assert partition.observers == []
    reached = [
        (node.node_id, listener.host, listener.port) for node in answer.nodes for listener in node.listeners
    ]
    assert reached == ([(1, "reached.example", 19092)] if version >= 2 else [])


@pytest.mark.parametrize("version", range(3))
def test_other_partitions(asker: Asker, version: int) -> None:
    asker.create("t")
    for wanted in (
        [("t", [0])],
        [(METADATA, [1])],
        [(METADATA, [0, 0])],
        [(METADATA, [0]), ("t", [0])],
        [(METADATA, [0]), (METADATA, [])],
    ):
        answer = _ask(asker, version, *wanted)
        codes = {each.error_code for topic in answer.topics for each in topic.partitions}
        assert codes == {ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}
        assert [topic.topic_name for topic in answer.topics] == [name for name, _ in wanted]
    assert _ask(asker, version).topics == []
