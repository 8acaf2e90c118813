"""CreateTopics answers as Apache Kafka 4.4.0 was seen to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from kstream.errors import ErrorCode
from kstream.wire.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from kstream.wire.uuids import ZERO_UUID
from tests.api.conftest import Asker

DEFAULT_CONFIG, DYNAMIC_DEFAULT, TOPIC_CONFIG = 5, 3, 1


def topic(
    name: str,
    partitions: int = 1,
    replication: int = 1,
    assignments: Sequence[tuple[int, list[int]]] = (),
    configs: Sequence[tuple[str, str | None]] = (),
) -> CreatableTopic:
    return CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=replication,
        assignments=[
            CreatableReplicaAssignment(partition_index=index, broker_ids=ids) for index, ids in assignments
        ],
        configs=[CreatableTopicConfig(name=key, value=value) for key, value in configs],
    )


def ask(
    asker: Asker, *topics: CreatableTopic, version: int = 7, validate: bool = False, timeout_ms: int = 5000
) -> CreateTopicsResponse:
    request = CreateTopicsRequest(topics=list(topics), validate_only=validate, timeout_ms=timeout_ms)
    return asker.ask(request, version, CreateTopicsResponse)


def outcome(answer: CreateTopicsResponse) -> list[tuple[str, int, str | None]]:
    return [(result.name, result.error_code, result.error_message) for result in answer.topics]


def names(asker: Asker) -> list[str]:
    return sorted(asker.broker.metadata.image.topics_by_name)


@pytest.mark.parametrize("version", range(2, 8))
def test_a_topic_in_every_version(asker: Asker, version: int) -> None:
    (result,) = ask(asker, topic("t", 2), version=version).topics
    assert (result.name, result.error_code, result.error_message) == ("t", 0, None)
    assert result.topic_id == (asker.topic_id("t") if version >= 7 else ZERO_UUID)
    assert (result.num_partitions, result.replication_factor) == ((2, 1) if version >= 5 else (-1, -1))
    assert len(result.configs or []) == (37 if version >= 5 else 0)
    assert len(asker.broker.metadata.image.topics_by_name["t"].partitions) == 2


def test_the_answer_has_the_whole_configuration(asker: Asker) -> None:
    wanted = topic("t", configs=[("retention.ms", "1000"), ("cleanup.policy", "compact")])
    (result,) = ask(asker, wanted).topics
    rows = {row.name: row for row in result.configs or []}
    assert list(rows) == sorted(rows)
    assert {row.name for row in rows.values() if row.config_source == TOPIC_CONFIG} == {
        "retention.ms",
        "cleanup.policy",
    }
    assert (rows["min.insync.replicas"].value, rows["min.insync.replicas"].config_source) == (
        "1",
        DYNAMIC_DEFAULT,
    )
    assert (rows["segment.ms"].value, rows["segment.ms"].config_source) == ("604800000", DEFAULT_CONFIG)
    assert not any(row.read_only or row.is_sensitive for row in rows.values())


def test_the_answer_has_values_as_they_were_given(asker: Asker) -> None:
    wanted = topic("t", configs=[("retention.ms", " 1000 "), ("preallocate", "TRUE")])
    (result,) = ask(asker, wanted).topics
    rows = {row.name: row.value for row in result.configs or []}
    assert (rows["retention.ms"], rows["preallocate"]) == (" 1000 ", "TRUE")


def test_an_existing_topic(asker: Asker) -> None:
    asker.create("t")
    answer = ask(asker, topic("t", 0, 9), version=4)
    assert outcome(answer) == [("t", ErrorCode.TOPIC_ALREADY_EXISTS, "Topic 't' already exists.")]
    assert outcome(ask(asker, topic("t"), validate=True))[0][1] == ErrorCode.TOPIC_ALREADY_EXISTS


def test_a_name_given_twice_creates_none_of_it(asker: Asker) -> None:
    answer = ask(asker, topic("d1"), topic("d2"), topic("d1", 3))
    assert outcome(answer) == [
        ("d2", 0, None),
        ("d1", ErrorCode.INVALID_REQUEST, "Duplicate topic name."),
    ]
    failed = answer.topics[1]
    assert (failed.num_partitions, failed.replication_factor, failed.configs) == (-1, -1, [])
    assert names(asker) == ["d2"]


def test_each_topic_for_itself_in_order(asker: Asker) -> None:
    asker.create("old")
    answer = ask(asker, topic("old"), topic("new"), topic("bad name"), topic("none", 0))
    assert [(name, code) for name, code, _ in outcome(answer)] == [
        ("old", ErrorCode.TOPIC_ALREADY_EXISTS),
        ("new", 0),
        ("bad name", ErrorCode.INVALID_TOPIC_EXCEPTION),
        ("none", ErrorCode.INVALID_PARTITIONS),
    ]
    assert names(asker) == ["new", "old"]


def test_counts_default_to_the_brokers(asker: Asker) -> None:
    (result,) = ask(asker, topic("t", -1, -1)).topics
    assert (result.num_partitions, result.replication_factor) == (3, 1)


@pytest.mark.parametrize(
    ("partitions", "replication", "code"),
    [
        (0, 1, ErrorCode.INVALID_PARTITIONS),
        (-2, 1, ErrorCode.INVALID_PARTITIONS),
        (1, 0, ErrorCode.INVALID_REPLICATION_FACTOR),
        (1, -2, ErrorCode.INVALID_REPLICATION_FACTOR),
        (1, 2, ErrorCode.INVALID_REPLICATION_FACTOR),
        (1, 3, ErrorCode.INVALID_REPLICATION_FACTOR),
        (0, 0, ErrorCode.INVALID_REPLICATION_FACTOR),
        (10_001, 1, ErrorCode.POLICY_VIOLATION),
    ],
)
def test_counts_that_cannot_be(asker: Asker, partitions: int, replication: int, code: ErrorCode) -> None:
    assert [result.error_code for result in ask(asker, topic("t", partitions, replication)).topics] == [code]
    assert names(asker) == []


def test_too_many_partitions_fail_the_request(asker: Asker) -> None:
    answer = ask(asker, topic("a", 6000), topic("b", 6000), topic("a b", 0))
    text = "Excessively large number of partitions per request."
    assert outcome(answer) == [(name, ErrorCode.POLICY_VIOLATION, text) for name in ("a", "b", "a b")]


def test_replicas_by_hand(asker: Asker) -> None:
    (result,) = ask(asker, topic("t", -1, -1, [(1, [1]), (0, [1])])).topics
    assert (result.error_code, result.num_partitions, result.replication_factor) == (0, 2, 1)


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        ([(0, [1]), (2, [1])], "partitions should be a consecutive 0-based integer sequence"),
        ([(1, [1])], "partitions should be a consecutive 0-based integer sequence"),
        ([(0, [1]), (0, [1])], "Found multiple manual partition assignments for partition 0"),
        ([(0, [9])], "The manual partition assignment includes broker 9, but no such broker is registered."),
        (
            [(0, [-1])],
            "The manual partition assignment includes broker -1, but no such broker is registered.",
        ),
        ([(0, [1, 1])], "The manual partition assignment includes the broker 1 more than once."),
        ([(0, [])], "The manual partition assignment includes an empty replica list."),
    ],
)
def test_replicas_by_hand_that_cannot_be(
    asker: Asker, assignments: list[tuple[int, list[int]]], message: str
) -> None:
    answer = ask(asker, topic("t", -1, -1, assignments))
    assert outcome(answer) == [("t", ErrorCode.INVALID_REPLICA_ASSIGNMENT, message)]


@pytest.mark.parametrize(("partitions", "replication"), [(2, -1), (-1, 1), (2, 1)])
def test_replicas_by_hand_leave_no_counts(asker: Asker, partitions: int, replication: int) -> None:
    answer = ask(asker, topic("t", partitions, replication, [(0, [1])]))
    assert [result.error_code for result in answer.topics] == [ErrorCode.INVALID_REQUEST]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("foo.bar", "1", "Unknown topic config name: foo.bar"),
        ("retention.ms", "x", "Invalid value x for configuration retention.ms: Not a number of type LONG"),
        ("retention.ms", "-5", "Invalid value -5 for configuration retention.ms: Value must be at least -1"),
        ("retention.ms", None, "Null value not supported for topic configs: retention.ms"),
    ],
)
def test_configuration_that_cannot_be(asker: Asker, key: str, value: str | None, message: str) -> None:
    answer = ask(asker, topic("t", 0, 9, configs=[(key, value)]))
    assert outcome(answer) == [("t", ErrorCode.INVALID_CONFIG, message)]


def test_remote_storage_cannot_be_had(asker: Asker) -> None:
    answer = ask(asker, topic("t", configs=[("remote.storage.enable", "true")]))
    assert answer.topics[0].error_code == ErrorCode.INVALID_CONFIG


def test_of_a_key_given_twice_the_last_counts(asker: Asker) -> None:
    ask(asker, topic("t", configs=[("retention.ms", "1"), ("retention.ms", "2")]))
    assert asker.broker.metadata.image.topic_configs("t") == {"retention.ms": "2"}


@pytest.mark.parametrize("name", ["", ".", "..", " ", "a b", "a/b", "é", "x" * 250])
def test_impossible_names(asker: Asker, name: str) -> None:
    assert ask(asker, topic(name)).topics[0].error_code == ErrorCode.INVALID_TOPIC_EXCEPTION


def test_the_longest_name(asker: Asker) -> None:
    assert ask(asker, topic("x" * 249)).topics[0].error_code == 0


def test_names_collide_with_existing_ones_only(asker: Asker) -> None:
    assert [code for _, code, _ in outcome(ask(asker, topic("p.q"), topic("p_q")))] == [0, 0]
    asker.create("h.h")
    assert outcome(ask(asker, topic("h_h"))) == [
        ("h_h", ErrorCode.INVALID_TOPIC_EXCEPTION, "Topic 'h_h' collides with existing topic: h.h")
    ]


def test_the_metadata_topic_is_nobodys(asker: Asker) -> None:
    assert outcome(ask(asker, topic("__cluster_metadata"), topic("t"))) == [
        ("t", 0, None),
        (
            "__cluster_metadata",
            ErrorCode.INVALID_REQUEST,
            "Creation of internal topic __cluster_metadata is prohibited.",
        ),
    ]


def test_validation_creates_nothing(asker: Asker) -> None:
    (result,) = ask(asker, topic("t", 2, configs=[("retention.ms", "5")]), validate=True).topics
    assert (result.error_code, result.num_partitions) == (0, 2)
    assert result.topic_id != ZERO_UUID
    assert names(asker) == []


@pytest.mark.parametrize("timeout_ms", [0, -1])
def test_without_time_nothing_is_created(asker: Asker, timeout_ms: int) -> None:
    answer = ask(asker, topic("t"), timeout_ms=timeout_ms)
    assert outcome(answer) == [("t", ErrorCode.REQUEST_TIMED_OUT, None)]
    assert names(asker) == []


def test_topics_are_there_after_a_restart(start: Callable[..., Asker]) -> None:
    asker = start()
    ask(asker, topic("t", 2, configs=[("retention.ms", "5")]))
    before = asker.broker.metadata.image
    assert start().broker.metadata.image == before
