"""`kill -9` and what is not records: topics, their ids and configurations, and the ids of producers."""

from __future__ import annotations

import pytest

from compat.kstream_server import KstreamServer
from kstream.errors import ErrorCode
from kstream.testing.client import WireClient
from kstream.wire.messages.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from kstream.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kstream.wire.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from kstream.wire.messages.init_producer_id import InitProducerIdRequest
from tests.requests import (
    TIMEOUT_MS,
    create_topic,
    describe_topic,
    offset_of,
    produce,
    produce_request,
    values_batch,
)

KILLS = 5
_TOPIC_RESOURCE = 2


def test_topics_survive_kills() -> None:
    """What was answered is there: created topics with their ids and configurations; deleted ones are not."""
    ids: dict[str, bytes] = {}
    with KstreamServer() as server:
        for round_ in range(KILLS):
            with WireClient(*server.address) as client:
                for n in range(5):
                    topic = f"kept-{round_}-{n}"
                    wanted = CreatableTopic(
                        name=topic,
                        num_partitions=n + 1,
                        replication_factor=1,
                        configs=[CreatableTopicConfig(name="retention.ms", value=str(1000 + n))],
                    )
                    (made,) = client.request(
                        CreateTopicsRequest(topics=[wanted], timeout_ms=TIMEOUT_MS), 7
                    ).topics
                    assert made.error_code == 0
                    ids[topic] = made.topic_id
                gone = f"gone-{round_}"
                assert create_topic(client, gone).error_code == 0
                assert produce(client, gone, values_batch([b"x"])).error_code == 0
                deleted = DeleteTopicsRequest(topics=[DeleteTopicState(name=gone)], timeout_ms=TIMEOUT_MS)
                assert client.request(deleted, 6).responses[0].error_code == 0
            server.kill()
            server.start()

        with WireClient(*server.address) as client:
            for topic, topic_id in ids.items():
                found = describe_topic(client, topic)
                assert found.topic_id == topic_id
                number = int(topic.rpartition("-")[2])
                assert len(found.partitions) == number + 1
                resource = DescribeConfigsResource(
                    resource_type=_TOPIC_RESOURCE, resource_name=topic, configuration_keys=["retention.ms"]
                )
                (told,) = client.request(DescribeConfigsRequest(resources=[resource]), 4).results
                assert [config.value for config in told.configs] == [str(1000 + number)]
            for round_ in range(KILLS):
                assert describe_topic(client, f"gone-{round_}").error_code == 3


def test_producer_ids_are_never_given_twice() -> None:
    given: list[int] = []
    with KstreamServer() as server:
        for _ in range(KILLS):
            with WireClient(*server.address) as client:
                given += [_new_producer_id(client) for _ in range(20)]
            server.kill()
            server.start()
    assert len(set(given)) == len(given)


def _new_producer_id(client: WireClient) -> int:
    request = InitProducerIdRequest(transactional_id=None)
    while (answer := client.request(request, 4)).error_code == ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
        pass  # right after its start, Kafka has no block of ids yet
    assert answer.error_code == 0
    return int(answer.producer_id)


@pytest.mark.parametrize("acks", [1, -1])
def test_one_connection_at_a_time_survives_kills(acks: int) -> None:
    """Without retries or idempotence: what an answered request brought is there after the kill."""
    with KstreamServer() as server:
        with WireClient(*server.address) as client:
            create_topic(client, "simple")
        for n in range(KILLS):
            with WireClient(*server.address) as client:
                assert offset_of(client, "simple") == 3 * n
                answer = client.request(produce_request("simple", values_batch([b"x"] * 3), acks=acks), 12)
                assert answer.responses[0].partition_responses[0].base_offset == 3 * n
            server.kill()
            server.start()
        with WireClient(*server.address) as client:
            assert offset_of(client, "simple") == 3 * KILLS
