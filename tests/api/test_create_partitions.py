"""CreatePartitions answers as Apache Kafka 4.4.0 was seen to."""

from __future__ import annotations

import pytest

from kstream.errors import ErrorCode
from kstream.wire.messages.create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
)
from tests.api.conftest import Asker

Result = tuple[str, int, str | None]


def topic(name: str, count: int, assignments: list[list[int]] | None = None) -> CreatePartitionsTopic:
    wanted = None
    if assignments is not None:
        wanted = [CreatePartitionsAssignment(broker_ids=ids) for ids in assignments]
    return CreatePartitionsTopic(name=name, count=count, assignments=wanted)


def ask(
    asker: Asker,
    *topics: CreatePartitionsTopic,
    version: int = 3,
    validate: bool = False,
    timeout_ms: int = 5000,
) -> list[Result]:
    request = CreatePartitionsRequest(topics=list(topics), validate_only=validate, timeout_ms=timeout_ms)
    answer = asker.ask(request, version, CreatePartitionsResponse)
    return [(result.name, result.error_code, result.error_message) for result in answer.results]


def count(asker: Asker, name: str) -> int:
    return len(asker.broker.metadata.image.topics_by_name[name].partitions)


@pytest.mark.parametrize("version", range(4))
def test_a_topic_grows_in_every_version(asker: Asker, version: int) -> None:
    asker.create("t", 2)
    assert ask(asker, topic("t", 4), version=version) == [("t", 0, None)]
    partitions = asker.broker.metadata.image.topics_by_name["t"].partitions
    assert [(partition.index, partition.leader, partition.leader_epoch) for partition in partitions] == [
        (0, 1, 0),
        (1, 1, 0),
        (2, 1, 0),
        (3, 1, 0),
    ]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (2, "Topic already has 2 partition(s)."),
        (1, "The topic t currently has 2 partition(s); 1 would not be an increase."),
        (0, "The topic t currently has 2 partition(s); 0 would not be an increase."),
        (-1, "The topic t currently has 2 partition(s); -1 would not be an increase."),
    ],
)
def test_no_increase(asker: Asker, wanted: int, message: str) -> None:
    asker.create("t", 2)
    assert ask(asker, topic("t", wanted)) == [("t", ErrorCode.INVALID_PARTITIONS, message)]


def test_unknown_topics(asker: Asker) -> None:
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert ask(asker, topic("nope", 3), topic("a b", 3)) == [("nope", unknown, None), ("a b", unknown, None)]


def test_replicas_by_hand(asker: Asker) -> None:
    asker.create("t", 2)
    assert ask(asker, topic("t", 4, [[1], [1]])) == [("t", 0, None)]
    assert count(asker, "t") == 4


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        ([], "Attempted to add 1 additional partition(s), but only 0 assignment(s) were specified."),
        ([[1], [1]], "Attempted to add 1 additional partition(s), but only 2 assignment(s) were specified."),
        ([[5]], "The manual partition assignment includes broker 5, but no such broker is registered."),
        ([[1, 1]], "The manual partition assignment includes the broker 1 more than once."),
        ([[]], "The manual partition assignment includes an empty replica list."),
    ],
)
def test_replicas_by_hand_that_cannot_be(asker: Asker, assignments: list[list[int]], message: str) -> None:
    asker.create("t", 2)
    assert ask(asker, topic("t", 3, assignments)) == [("t", ErrorCode.INVALID_REPLICA_ASSIGNMENT, message)]
    assert count(asker, "t") == 2


def test_a_name_given_twice(asker: Asker) -> None:
    asker.create("a")
    asker.create("b")
    assert ask(asker, topic("b", 3), topic("a", 3), topic("a", 4)) == [
        ("a", ErrorCode.INVALID_REQUEST, "Duplicate topic name."),
        ("b", 0, None),
    ]
    assert (count(asker, "a"), count(asker, "b")) == (1, 3)


def test_too_many_partitions_fail_the_request(asker: Asker) -> None:
    asker.create("t")
    text = "Excessively large number of additional partitions per request."
    assert ask(asker, topic("t", 20_000)) == [("t", ErrorCode.POLICY_VIOLATION, text)]


def test_validation_adds_nothing(asker: Asker) -> None:
    asker.create("t")
    assert ask(asker, topic("t", 5), validate=True) == [("t", 0, None)]
    assert count(asker, "t") == 1


def test_without_time_nothing_is_added(asker: Asker) -> None:
    asker.create("t")
    assert ask(asker, topic("t", 5), timeout_ms=0) == [("t", ErrorCode.REQUEST_TIMED_OUT, None)]
    assert count(asker, "t") == 1
