"""Metadata answers as Apache Kafka 4.4.0 was seen to, but that it creates a missing topic before it
answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio

from kstream.api.metadata import handle
from kstream.broker.metadata.image import PartitionImage, TopicImage
from kstream.errors import ErrorCode
from kstream.wire.codec import decode, encode
from kstream.wire.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponsePartition,
)
from kstream.wire.uuids import ZERO_UUID
from tests.api.conftest import Asker

NOT_ASKED_FOR = -(1 << 31)
UNKNOWN_ID = bytes(15) + b"\x77"


def ask(asker: Asker, version: int, *names: str, create: bool = False, **fields: Any) -> MetadataResponse:
    topics = [MetadataRequestTopic(name=name) for name in names]
    request = MetadataRequest(topics=topics, **fields)
    if version >= 4:
        request.allow_auto_topic_creation = create
    return asker.ask(request, version, MetadataResponse)


def ask_topics(asker: Asker, version: int, *topics: tuple[str | None, bytes]) -> MetadataResponse:
    wanted = [MetadataRequestTopic(name=name, topic_id=topic_id) for name, topic_id in topics]
    request = MetadataRequest(topics=wanted, allow_auto_topic_creation=False)
    return asker.ask(request, version, MetadataResponse)


def outcome(answer: MetadataResponse) -> list[tuple[str | None, int]]:
    return [(topic.name, topic.error_code) for topic in answer.topics]


@pytest.mark.parametrize("version", range(14))
def test_all_topics_and_none(asker: Asker, version: int) -> None:
    asker.create("zeta", 2)
    asker.create("alpha")
    everything = asker.ask(MetadataRequest(topics=None if version else []), version, MetadataResponse)
    assert {topic.name: len(topic.partitions) for topic in everything.topics} == {"zeta": 2, "alpha": 1}
    (broker,) = everything.brokers
    assert (broker.node_id, broker.host, broker.port) == (1, "reached.example", 19092)
    if version:
        assert asker.ask(MetadataRequest(topics=[]), version, MetadataResponse).topics == []
        assert (everything.controller_id, broker.rack) == (1, None)
    assert everything.cluster_id == (asker.broker.cluster_id if version >= 2 else None)


@pytest.mark.parametrize("version", range(14))
def test_a_topic_in_every_version(asker: Asker, version: int) -> None:
    asker.create("t", 2)
    (topic,) = ask(asker, version, "t").topics
    assert (topic.error_code, topic.name, topic.is_internal) == (0, "t", False)
    assert topic.topic_id == (asker.topic_id("t") if version >= 10 else ZERO_UUID)
    assert topic.topic_authorized_operations == NOT_ASKED_FOR
    second = topic.partitions[1]
    assert (second.error_code, second.partition_index, second.leader_id) == (0, 1, 1)
    assert second.leader_epoch == (0 if version >= 7 else -1)
    assert (second.replica_nodes, second.isr_nodes, second.offline_replicas) == ([1], [1], [])


def test_known_topics_come_first_and_once(asker: Asker) -> None:
    asker.create("zeta")
    asker.create("alpha")
    answer = ask(asker, 13, "zeta", "nope", "alpha", "bad name", "zeta", "nope")
    assert outcome(answer) == [("zeta", 0), ("alpha", 0), ("nope", 3), ("bad name", 17)]
    assert answer.error_code == 0


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "é", "y" * 250])
def test_impossible_names(asker: Asker, name: str) -> None:
    assert outcome(ask(asker, 13, name, create=True)) == [(name, ErrorCode.INVALID_TOPIC_EXCEPTION)]
    assert asker.broker.metadata.image.topics_by_name == {}


def test_by_id(asker: Asker) -> None:
    asker.create("t")
    topic_id = asker.topic_id("t")
    answer = ask_topics(asker, 12, (None, UNKNOWN_ID), (None, topic_id), (None, topic_id))
    assert outcome(answer) == [("t", 0), (None, ErrorCode.UNKNOWN_TOPIC_ID)]
    assert [topic.topic_id for topic in answer.topics] == [topic_id, UNKNOWN_ID]


def test_an_id_wins_over_names(asker: Asker) -> None:
    asker.create("t")
    asker.create("other")
    answer = ask_topics(asker, 12, ("other", asker.topic_id("t")), ("missing", ZERO_UUID))
    assert outcome(answer) == [("t", 0)]


@pytest.mark.parametrize("version", [10, 11])
def test_ids_are_refused_before_version_12(asker: Asker, version: int) -> None:
    asker.create("t")
    answer = ask_topics(asker, version, (None, asker.topic_id("t")), ("t", ZERO_UUID))
    assert outcome(answer) == [("", ErrorCode.INVALID_REQUEST), ("t", ErrorCode.INVALID_REQUEST)]
    assert (answer.brokers, answer.cluster_id, answer.controller_id) == ([], None, -1)


def test_neither_name_nor_id(asker: Asker) -> None:
    assert outcome(ask_topics(asker, 12, (None, ZERO_UUID))) == [("", ErrorCode.UNKNOWN_SERVER_ERROR)]
    assert outcome(ask_topics(asker, 11, (None, ZERO_UUID))) == [("", ErrorCode.INVALID_REQUEST)]


@pytest.mark.parametrize("version", [0, 3])
def test_old_versions_create_what_is_missing(asker: Asker, version: int) -> None:
    (topic,) = ask(asker, version, "new").topics
    assert (topic.error_code, len(topic.partitions)) == (0, 3)


def test_a_missing_topic_is_created_on_request_only(asker: Asker) -> None:
    assert outcome(ask(asker, 13, "new")) == [("new", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)]
    (topic,) = ask(asker, 13, "new", create=True).topics
    assert (topic.error_code, len(topic.partitions)) == (0, 3)
    assert topic.topic_id == asker.topic_id("new")


def test_nothing_is_created_where_the_broker_does_not_want_it(start: Callable[..., Asker]) -> None:
    asker = start(auto_create_topics_enable="false")
    assert outcome(ask(asker, 13, "new", create=True)) == [("new", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)]


def test_names_that_collide_are_not_created(asker: Asker) -> None:
    asker.create("a.b")
    assert outcome(ask(asker, 13, "a_b", create=True)) == [("a_b", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)]


def test_internal_topics(start: Callable[..., Asker]) -> None:
    asker = start(offsets_topic_num_partitions="2")
    names = ("__consumer_offsets", "__cluster_metadata")
    before = ask(asker, 12, *names)
    assert [(topic.name, topic.error_code, topic.is_internal) for topic in before.topics] == [
        ("__consumer_offsets", 3, True),
        ("__cluster_metadata", 3, False),
    ]
    after = ask(asker, 12, *names, create=True)
    assert [(topic.name, topic.error_code, len(topic.partitions)) for topic in after.topics] == [
        ("__consumer_offsets", 0, 2),
        ("__cluster_metadata", 3, 0),
    ]
    assert dict(asker.broker.metadata.image.topic_configs("__consumer_offsets")) == {
        "compression.type": "producer",
        "cleanup.policy": "compact",
        "segment.bytes": "104857600",
    }


def test_authorized_operations(asker: Asker) -> None:
    asker.create("t")
    answer = ask(
        asker,
        10,
        "t",
        "nope",
        include_cluster_authorized_operations=True,
        include_topic_authorized_operations=True,
    )
    assert answer.cluster_authorized_operations == 8096
    assert [topic.topic_authorized_operations for topic in answer.topics] == [3576, 3576]
    plain = ask(asker, 10, "t")
    assert plain.cluster_authorized_operations == NOT_ASKED_FOR
    assert plain.topics[0].topic_authorized_operations == NOT_ASKED_FOR


def test_advertised_listeners_are_what_clients_are_told(start: Callable[..., Asker]) -> None:
    asker = start(
        listeners="PLAINTEXT://:0,LAN://:0",
        listener_security_protocol_map="PLAINTEXT:PLAINTEXT,LAN:PLAINTEXT",
        advertised_listeners="PLAINTEXT://one.example:1,LAN://two.example:2",
        broker_rack="r1",
    )
    asker.context.listener = "LAN"
    (broker,) = ask(asker, 13).brokers
    assert (broker.host, broker.port, broker.rack) == ("two.example", 2, "r1")


def test_answers_follow_changes(asker: Asker) -> None:
    asker.create("t")
    everything = MetadataRequest(topics=None)
    assert len(asker.ask(everything, 13, MetadataResponse).topics) == 1
    asker.create("u")
    assert len(asker.ask(everything, 13, MetadataResponse).topics) == 2


def test_answers_for_many_partitions_are_made_once(asker: Asker) -> None:
    for number in range(4):
        asker.create(f"t{number}", 1000)
    everything = MetadataRequest(topics=None)
    first = asker.ask(everything, 13, MetadataResponse)
    store = asker.broker.metadata
    (cached,) = store.derived.values()
    assert asker.ask(everything, 13, MetadataResponse) == first
    assert [*store.derived.values()] == [cached]
    by_name = asker.ask(MetadataRequest(topics=[MetadataRequestTopic(name="t1")]), 13, MetadataResponse)
    assert by_name.topics == first.topics[1:2]


@pytest.mark.parametrize("version", range(14))
def test_partitions_that_differ_are_told_apart(asker: Asker, version: int) -> None:
    ours, nobodys, replicated = (1, 3, (1,), (1,)), (-1, 4, (1,), ()), (1, 3, (1, 2), (1,))
    states = [ours, nobodys, replicated, ours, nobodys, replicated]
    partitions = [
        PartitionImage(index, leader, epoch, 0, replicas, isr)
        for index, (leader, epoch, replicas, isr) in enumerate(states)
    ]
    asker.broker.metadata.image.topics_by_name["t"] = TopicImage("t", UNKNOWN_ID, partitions)
    (topic,) = ask(asker, version, "t").topics
    assert topic.partitions == [
        MetadataResponsePartition(
            error_code=ErrorCode.LEADER_NOT_AVAILABLE if each.leader < 0 else 0,
            partition_index=each.index,
            leader_id=each.leader,
            leader_epoch=each.leader_epoch if version >= 7 else -1,
            replica_nodes=list(each.replicas),
            isr_nodes=list(each.isr),
            offline_replicas=[broker for broker in each.replicas if broker == 2] if version >= 5 else [],
        )
        for each in partitions
    ]


def test_others_have_their_turn_while_a_large_answer_is_made(asker: Asker) -> None:
    asker.create("large", 3000)
    turns = 0

    async def ask_beside_others() -> MetadataResponse:
        async def count() -> None:
            nonlocal turns
            while True:
                await trio.lowlevel.checkpoint()
                turns += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(count)
            asker.context.api_version = 12
            answer = await handle(asker.context, MetadataRequest(topics=None))
            nursery.cancel_scope.cancel()
        return answer

    answer = trio.run(ask_beside_others)
    assert 5 <= turns <= 30
    (topic,) = decode(MetadataResponse, encode(answer, 12), 12).topics
    assert [partition.partition_index for partition in topic.partitions] == list(range(3000))
