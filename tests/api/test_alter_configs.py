"""AlterConfigs answers as Apache Kafka 4.4.0 was seen to, where it answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kstream.errors import ErrorCode
from kstream.wire.messages.alter_configs import (
    AlterableConfig,
    AlterConfigsRequest,
    AlterConfigsResource,
    AlterConfigsResponse,
)
from tests.api.conftest import Asker

TOPIC, BROKER, LOGGER = 2, 4, 8
Result = tuple[int, str | None, int, str]


def resource(kind: int, name: str, *configs: tuple[str, str | None]) -> AlterConfigsResource:
    return AlterConfigsResource(
        resource_type=kind,
        resource_name=name,
        configs=[AlterableConfig(name=key, value=value) for key, value in configs],
    )


def ask(
    asker: Asker, *resources: AlterConfigsResource, version: int = 2, validate: bool = False
) -> list[Result]:
    request = AlterConfigsRequest(resources=list(resources), validate_only=validate)
    answer = asker.ask(request, version, AlterConfigsResponse)
    return [
        (item.error_code, item.error_message, item.resource_type, item.resource_name)
        for item in answer.responses
    ]


def configs_of(asker: Asker, name: str) -> dict[str, str]:
    return dict(asker.broker.metadata.image.topic_configs(name))


@pytest.mark.parametrize("version", range(3))
def test_what_is_not_mentioned_goes(asker: Asker, version: int) -> None:
    asker.create("t", retention_ms="1000", cleanup_policy="compact")
    done = [(0, None, TOPIC, "t")]
    assert ask(asker, resource(TOPIC, "t", ("segment.ms", "1000")), version=version) == done
    assert configs_of(asker, "t") == {"segment.ms": "1000"}
    assert ask(asker, resource(TOPIC, "t"), version=version) == done
    assert configs_of(asker, "t") == {}


def test_validation_changes_nothing(asker: Asker) -> None:
    asker.create("t", retention_ms="1000")
    assert ask(asker, resource(TOPIC, "t", ("retention.ms", "7")), validate=True) == [(0, None, TOPIC, "t")]
    assert configs_of(asker, "t") == {"retention.ms": "1000"}


@pytest.mark.parametrize(
    ("configs", "code", "message"),
    [
        ([("foo", "1")], ErrorCode.INVALID_CONFIG, "Unknown topic config name: foo"),
        (
            [("retention.ms", "zz")],
            ErrorCode.INVALID_CONFIG,
            "Invalid value zz for configuration retention.ms: Not a number of type LONG",
        ),
        ([("retention.ms", None)], ErrorCode.INVALID_REQUEST, "Null value not supported for : retention.ms"),
        (
            [("retention.ms", "1"), ("retention.ms", "2")],
            ErrorCode.INVALID_REQUEST,
            "Error due to duplicate config keys",
        ),
    ],
)
def test_values_that_cannot_be(
    asker: Asker, configs: list[tuple[str, str | None]], code: ErrorCode, message: str
) -> None:
    asker.create("t", segment_ms="1000")
    assert ask(asker, resource(TOPIC, "t", *configs)) == [(code, message, TOPIC, "t")]
    assert configs_of(asker, "t") == {"segment.ms": "1000"}


@pytest.mark.parametrize(
    ("kind", "name", "code", "message"),
    [
        (TOPIC, "qq", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "The topic 'qq' does not exist."),
        (TOPIC, "", ErrorCode.INVALID_REQUEST, "Default topic resources are not allowed."),
        (BROKER, "2", ErrorCode.INVALID_REQUEST, "Unexpected broker id, expected 1, but received 2"),
        (BROKER, "x", ErrorCode.INVALID_REQUEST, "Node id must be an integer, but it is: x"),
        (LOGGER, "1", ErrorCode.INVALID_REQUEST, "Unknown resource type 8"),
        (3, "t", ErrorCode.INVALID_REQUEST, "Unknown resource type 3"),
    ],
)
def test_resources_that_cannot_be(asker: Asker, kind: int, name: str, code: ErrorCode, message: str) -> None:
    asker.create("t")
    # A topic's values are looked at before whether it exists.
    wanted = resource(kind, name, ("retention.ms" if kind == TOPIC else "log.retention.ms", "1"))
    assert ask(asker, wanted, resource(TOPIC, "t")) == [(code, message, kind, name), (0, None, TOPIC, "t")]


def test_impossible_topic_names(asker: Asker) -> None:
    assert ask(asker, resource(TOPIC, "a b"))[0][0] == ErrorCode.INVALID_TOPIC_EXCEPTION


def test_a_resource_given_twice(asker: Asker) -> None:
    asker.create("t")
    twice = resource(TOPIC, "t", ("retention.ms", "1"))
    text = "Each resource must appear at most once."
    assert ask(asker, twice, twice) == [(ErrorCode.INVALID_REQUEST, text, TOPIC, "t")] * 2
    assert configs_of(asker, "t") == {}


def test_this_broker_takes_effect_and_goes_back(asker: Asker) -> None:
    config = asker.broker.config
    assert ask(asker, resource(BROKER, "1", ("log.retention.ms", "6000"))) == [(0, None, BROKER, "1")]
    assert config.log_retention_ms == 6000
    assert ask(asker, resource(BROKER, "1")) == [(0, None, BROKER, "1")]
    assert config.log_retention_ms == 168 * 3_600_000


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("node.id", "6", "Cannot update these configs dynamically: [node.id]"),
        (
            "log.retention.ms",
            "x",
            "Invalid value x for configuration log.retention.ms: Not a number of type LONG",
        ),
    ],
)
def test_broker_values_that_cannot_be(asker: Asker, key: str, value: str, message: str) -> None:
    wanted = resource(BROKER, "1", (key, value))
    assert ask(asker, wanted) == [(ErrorCode.INVALID_REQUEST, message, BROKER, "1")]


def test_the_cluster_wide_minimum_stays(asker: Asker) -> None:
    text = "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."
    assert ask(asker, resource(BROKER, "", ("log.retention.ms", "5000"))) == [
        (ErrorCode.INVALID_CONFIG, text, BROKER, "")
    ]
    both = resource(BROKER, "", ("min.insync.replicas", "1"), ("log.retention.ms", "5000"))
    assert ask(asker, both) == [(0, None, BROKER, "")]
    assert asker.broker.config.log_retention_ms == 5000


def test_changes_outlive_a_restart(start: Callable[..., Asker]) -> None:
    asker = start()
    asker.create("t")
    ask(asker, resource(TOPIC, "t", ("retention.ms", "7")), resource(BROKER, "1", ("log.retention.ms", "9")))
    again = start()
    assert configs_of(again, "t") == {"retention.ms": "7"}
    assert again.broker.config.log_retention_ms == 9
