"""DeleteTopics answers as Apache Kafka 4.4.0 was seen to, but in order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kstream.errors import ErrorCode
from kstream.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse, DeleteTopicState
from kstream.wire.uuids import ZERO_UUID
from tests.api.conftest import Asker

UNKNOWN_ID = bytes(15) + b"\x77"
UNKNOWN_NAME_TEXT = "This server does not host this topic-partition."
UNKNOWN_ID_TEXT = "This server does not host this topic ID."

Result = tuple[str | None, bytes, int, str | None]


def by_name(asker: Asker, version: int, *names: str, timeout_ms: int = 5000) -> DeleteTopicsResponse:
    request = DeleteTopicsRequest(timeout_ms=timeout_ms)
    if version >= 6:
        request.topics = [DeleteTopicState(name=name) for name in names]
    else:
        request.topic_names = list(names)
    return asker.ask(request, version, DeleteTopicsResponse)


def by_key(asker: Asker, *keys: tuple[str | None, bytes]) -> list[Result]:
    topics = [DeleteTopicState(name=name, topic_id=topic_id) for name, topic_id in keys]
    answer = asker.ask(DeleteTopicsRequest(topics=topics, timeout_ms=5000), 6, DeleteTopicsResponse)
    return [
        (result.name, result.topic_id, result.error_code, result.error_message) for result in answer.responses
    ]


def names(asker: Asker) -> list[str]:
    return sorted(asker.broker.metadata.image.topics_by_name)


@pytest.mark.parametrize("version", range(1, 7))
def test_by_name_in_every_version(asker: Asker, version: int) -> None:
    asker.create("t")
    answer = by_name(asker, version, "t", "nope", "bad name", "")
    assert [(result.name, result.error_code) for result in answer.responses] == [
        ("t", 0),
        ("nope", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("bad name", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
    ]
    assert answer.responses[1].error_message == (UNKNOWN_NAME_TEXT if version >= 5 else None)
    assert names(asker) == []


def test_by_id(asker: Asker) -> None:
    asker.create("t")
    topic_id = asker.topic_id("t")
    assert by_key(asker, (None, topic_id)) == [("t", topic_id, 0, None)]
    assert by_key(asker, (None, topic_id)) == [(None, topic_id, ErrorCode.UNKNOWN_TOPIC_ID, UNKNOWN_ID_TEXT)]


def test_a_name_answers_with_its_id(asker: Asker) -> None:
    asker.create("t")
    topic_id = asker.topic_id("t")
    assert by_key(asker, ("t", ZERO_UUID)) == [("t", topic_id, 0, None)]
    assert by_key(asker, ("t", ZERO_UUID)) == [
        ("t", ZERO_UUID, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_NAME_TEXT)
    ]


def test_both_or_neither(asker: Asker) -> None:
    asker.create("t")
    topic_id = asker.topic_id("t")
    assert by_key(asker, ("t", topic_id), (None, ZERO_UUID)) == [
        ("t", topic_id, ErrorCode.INVALID_REQUEST, "You may not specify both topic name and topic id."),
        (None, ZERO_UUID, ErrorCode.INVALID_REQUEST, "Neither topic name nor id were specified."),
    ]
    assert names(asker) == ["t"]


def test_what_is_named_twice_stays(asker: Asker) -> None:
    for name in ("a", "b", "c", "d"):
        asker.create(name)
    ids = {name: asker.topic_id(name) for name in "abcd"}
    assert by_key(
        asker,
        ("a", ZERO_UUID),
        ("a", ZERO_UUID),
        (None, ids["b"]),
        (None, ids["b"]),
        ("c", ZERO_UUID),
        (None, ids["c"]),
        ("d", ZERO_UUID),
        (None, UNKNOWN_ID),
        (None, UNKNOWN_ID),
    ) == [
        ("d", ids["d"], 0, None),
        ("a", ZERO_UUID, ErrorCode.INVALID_REQUEST, "Duplicate topic name."),
        (None, ids["b"], ErrorCode.INVALID_REQUEST, "Duplicate topic id."),
        (
            "c",
            ids["c"],
            ErrorCode.INVALID_REQUEST,
            "The provided topic name maps to an ID that was already supplied.",
        ),
        (None, UNKNOWN_ID, ErrorCode.INVALID_REQUEST, "Duplicate topic id."),
    ]
    assert names(asker) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("version", "code"),
    [
        (1, ErrorCode.INVALID_REQUEST),
        (2, ErrorCode.INVALID_REQUEST),
        (3, ErrorCode.TOPIC_DELETION_DISABLED),
        (6, ErrorCode.TOPIC_DELETION_DISABLED),
    ],
)
def test_deletion_can_be_disabled(start: Callable[..., Asker], version: int, code: ErrorCode) -> None:
    asker = start(delete_topic_enable="false")
    asker.create("t")
    answer = by_name(asker, version, "t", "nope")
    assert [(result.error_code, result.error_message) for result in answer.responses] == [(code, None)] * 2
    assert names(asker) == ["t"]


def test_without_time_nothing_is_deleted(asker: Asker) -> None:
    asker.create("t")
    answer = by_name(asker, 6, "t", timeout_ms=0)
    assert [result.error_code for result in answer.responses] == [ErrorCode.REQUEST_TIMED_OUT]
    assert names(asker) == ["t"]


def test_a_deleted_topics_configuration_goes_with_it(asker: Asker) -> None:
    asker.create("t", retention_ms="5")
    by_name(asker, 6, "t")
    asker.create("t")
    assert asker.broker.metadata.image.topic_configs("t") == {}


def test_deletion_outlives_a_restart(start: Callable[..., Asker]) -> None:
    asker = start()
    asker.create("t")
    asker.create("u")
    by_name(asker, 6, "t")
    assert names(start()) == ["u"]
