"""DescribeTopicPartitions answers as Apache Kafka 4.4.0 was seen to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kstream.errors import ErrorCode
from kstream.wire.messages.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    TopicRequest,
)
from kstream.wire.uuids import ZERO_UUID
from tests.api.conftest import Asker

NOT_ASKED_FOR = -(1 << 31)


@pytest.fixture
def full(asker: Asker) -> Asker:
    asker.create("alpha")
    asker.create("beta", 4)
    asker.create("zeta", 2)
    return asker


def ask(
    asker: Asker, *names: str, limit: int = 2000, cursor: tuple[str, int] | None = None
) -> DescribeTopicPartitionsResponse:
    request = DescribeTopicPartitionsRequest(
        topics=[TopicRequest(name=name) for name in names], response_partition_limit=limit
    )
    if cursor is not None:
        request.cursor = Cursor(topic_name=cursor[0], partition_index=cursor[1])
    return asker.ask(request, 0, DescribeTopicPartitionsResponse)


def page(
    answer: DescribeTopicPartitionsResponse,
) -> tuple[list[tuple[str | None, list[int]]], tuple[str, int] | None]:
    """Topics with their partitions, and where the next page begins."""
    topics = [
        (topic.name, [partition.partition_index for partition in topic.partitions]) for topic in answer.topics
    ]
    following = answer.next_cursor
    return topics, None if following is None else (following.topic_name, following.partition_index)


def test_all_topics_in_order(full: Asker) -> None:
    assert page(ask(full)) == ([("alpha", [0]), ("beta", [0, 1, 2, 3]), ("zeta", [0, 1])], None)


def test_one_partition(full: Asker) -> None:
    (topic,) = ask(full, "alpha").topics
    assert (topic.error_code, topic.topic_id, topic.is_internal) == (0, full.topic_id("alpha"), False)
    assert topic.topic_authorized_operations == 3576
    (partition,) = topic.partitions
    assert (partition.error_code, partition.leader_id, partition.leader_epoch) == (0, 1, 0)
    assert (partition.replica_nodes, partition.isr_nodes, partition.offline_replicas) == ([1], [1], [])
    assert (partition.eligible_leader_replicas, partition.last_known_elr) == ([], [])


def test_unknown_topics_stand_in_order(full: Asker) -> None:
    answer = ask(full, "zeta", "alpha", "qq", "bad name", "zeta")
    assert [(topic.name, topic.error_code) for topic in answer.topics] == [
        ("alpha", 0),
        ("bad name", ErrorCode.INVALID_TOPIC_EXCEPTION),
        ("qq", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("zeta", 0),
    ]
    assert (answer.topics[2].topic_id, answer.topics[2].topic_authorized_operations) == (ZERO_UUID, 3576)
    assert "qq" not in full.broker.metadata.image.topics_by_name


@pytest.mark.parametrize(
    ("names", "limit", "cursor", "expected"),
    [
        ((), 3, None, ([("alpha", [0]), ("beta", [0, 1])], ("beta", 2))),
        (("zeta", "alpha", "beta"), 1, None, ([("alpha", [0])], ("beta", 0))),
        (("zeta", "alpha", "beta"), 5, None, ([("alpha", [0]), ("beta", [0, 1, 2, 3])], ("zeta", 0))),
        (("alpha", "zeta"), 3, None, ([("alpha", [0]), ("zeta", [0, 1])], None)),
        (("zeta",), 0, None, ([("zeta", [0])], ("zeta", 1))),
        (("zeta",), -1, None, ([("zeta", [0])], ("zeta", 1))),
        (("qq", "zeta"), 1, None, ([("qq", []), ("zeta", [0])], ("zeta", 1))),
        (("zeta", "beta"), 2000, ("beta", 2), ([("beta", [2, 3]), ("zeta", [0, 1])], None)),
        (("zeta", "beta"), 2000, ("beta", 9), ([("beta", []), ("zeta", [0, 1])], None)),
        ((), 3, ("beta", 2), ([("beta", [2, 3]), ("zeta", [0])], ("zeta", 1))),
        ((), 2000, ("zzz", 0), ([], None)),
        (("qq", "zeta"), 3, ("qq", 2), ([("qq", []), ("zeta", [0, 1])], None)),
    ],
)
def test_pages(
    full: Asker,
    names: tuple[str, ...],
    limit: int,
    cursor: tuple[str, int] | None,
    expected: tuple[list[tuple[str, list[int]]], tuple[str, int] | None],
) -> None:
    assert page(ask(full, *names, limit=limit, cursor=cursor)) == expected


@pytest.mark.parametrize("cursor", [("beta", 0), ("alpha", -1)])
def test_cursors_that_cannot_be(full: Asker, cursor: tuple[str, int]) -> None:
    answer = ask(full, "zeta", "alpha", cursor=cursor)
    assert [(topic.name, topic.error_code) for topic in answer.topics] == [
        ("zeta", ErrorCode.INVALID_REQUEST),
        ("alpha", ErrorCode.INVALID_REQUEST),
    ]
    assert answer.topics[0].topic_authorized_operations == NOT_ASKED_FOR


def test_an_empty_name(full: Asker) -> None:
    answer = ask(full, "", "alpha")
    assert [topic.error_code for topic in answer.topics] == [ErrorCode.UNKNOWN_SERVER_ERROR] * 2


def test_the_brokers_limit_holds(start: Callable[..., Asker]) -> None:
    asker = start(max_request_partition_size_limit="2")
    asker.create("t", 3)
    assert page(ask(asker)) == ([("t", [0, 1])], ("t", 2))
