"""ConsumerGroupHeartbeat and ConsumerGroupDescribe through a broker: topics, configuration, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kstream.errors import ErrorCode
from kstream.wire.messages.consumer_group_describe import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
)
from kstream.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kstream.wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from tests.api.conftest import Asker

GROUP_RESOURCE = 32


def beat(asker: Asker, epoch: int, **fields: Any) -> ConsumerGroupHeartbeatResponse:
    request = ConsumerGroupHeartbeatRequest(group_id="g", member_id="m", member_epoch=epoch, **fields)
    return asker.ask(request, 1, ConsumerGroupHeartbeatResponse)


def join(asker: Asker) -> ConsumerGroupHeartbeatResponse:
    asker.ask(FindCoordinatorRequest(coordinator_keys=["g"]), 4, FindCoordinatorResponse)
    said = {"rebalance_timeout_ms": 1_000, "subscribed_topic_names": ["t"], "topic_partitions": []}
    return beat(asker, 0, **said)


def test_a_member_has_the_topics_that_there_are(asker: Asker) -> None:
    asker.create("t", 2)
    answer = join(asker)
    assert (answer.error_code, answer.member_epoch, answer.heartbeat_interval_ms) == (0, 2, 5_000)
    assert answer.assignment is not None
    (topic,) = answer.assignment.topic_partitions
    assert topic.topic_id == asker.broker.metadata.image.topics_by_name["t"].topic_id
    assert topic.partitions == [0, 1]
    request = ConsumerGroupDescribeRequest(group_ids=["g", ""], include_authorized_operations=True)
    ours, nameless = asker.ask(request, 1, ConsumerGroupDescribeResponse).groups
    assert (ours.group_state, ours.members[0].assignment.topic_partitions[0].topic_name) == ("Stable", "t")
    assert ours.authorized_operations > 0
    assert nameless.error_code == ErrorCode.INVALID_GROUP_ID


def test_configuration_of_the_group_counts_at_once(asker: Asker) -> None:
    asker.create("t")
    join(asker)
    config = AlterableConfig(name="consumer.heartbeat.interval.ms", value="7000")
    resource = AlterConfigsResource(resource_type=GROUP_RESOURCE, resource_name="g", configs=[config])
    asker.ask(IncrementalAlterConfigsRequest(resources=[resource]), 1, IncrementalAlterConfigsResponse)
    assert beat(asker, 2).heartbeat_interval_ms == 7_000


def test_errors_come_with_words(asker: Asker) -> None:
    asker.create("t")
    join(asker)
    answer = beat(asker, 7)
    assert answer.error_code == ErrorCode.FENCED_MEMBER_EPOCH
    assert "7" in (answer.error_message or "")


def test_the_protocol_can_be_switched_off(start: Callable[..., Asker]) -> None:
    asker = start(group_coordinator_rebalance_protocols="classic,streams")
    assert join(asker).error_code == ErrorCode.UNSUPPORTED_VERSION
    request = ConsumerGroupDescribeRequest(group_ids=["g"])
    (described,) = asker.ask(request, 1, ConsumerGroupDescribeResponse).groups
    assert described.error_code == ErrorCode.UNSUPPORTED_VERSION
