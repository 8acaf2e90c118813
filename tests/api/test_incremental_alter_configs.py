"""IncrementalAlterConfigs answers as Apache Kafka 4.4.0 was seen to."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from kstream.errors import ErrorCode
from kstream.wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from tests.api.conftest import Asker

TOPIC, BROKER, LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = range(4)
LOGGER_NAME = "kstream.tested"

Result = tuple[int, str | None]
Config = tuple[str, int, str | None]


def resource(kind: int, name: str, *configs: Config) -> AlterConfigsResource:
    return AlterConfigsResource(
        resource_type=kind,
        resource_name=name,
        configs=[
            AlterableConfig(name=key, config_operation=operation, value=value)
            for key, operation, value in configs
        ],
    )


def ask(
    asker: Asker, *resources: AlterConfigsResource, version: int = 1, validate: bool = False
) -> list[Result]:
    request = IncrementalAlterConfigsRequest(resources=list(resources), validate_only=validate)
    answer = asker.ask(request, version, IncrementalAlterConfigsResponse)
    return [(item.error_code, item.error_message) for item in answer.responses]


def change(asker: Asker, *configs: Config) -> Result:
    """Change topic `t`."""
    (result,) = ask(asker, resource(TOPIC, "t", *configs))
    return result


def configs_of(asker: Asker, name: str = "t") -> dict[str, str]:
    return dict(asker.broker.metadata.image.topic_configs(name))


@pytest.fixture
def topic(asker: Asker) -> Asker:
    asker.create("t")
    return asker


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    found = logging.getLogger(LOGGER_NAME)
    yield found
    found.setLevel(logging.NOTSET)


@pytest.mark.parametrize("version", [0, 1])
def test_set_and_delete(topic: Asker, version: int) -> None:
    change(topic, ("segment.ms", SET, "5"))
    wanted = resource(TOPIC, "t", ("retention.ms", SET, "1000"), ("segment.ms", DELETE, "junk"))
    assert ask(topic, wanted, version=version) == [(0, None)]
    assert configs_of(topic) == {"retention.ms": "1000"}


def test_lists_begin_with_the_default(topic: Asker) -> None:
    steps = [
        (APPEND, "compact", "delete,compact"),
        (APPEND, "compact", "delete,compact"),
        (SUBTRACT, "delete", "compact"),
        (SUBTRACT, "delete", "compact"),
        (SUBTRACT, "compact", ""),
    ]
    for operation, value, expected in steps:
        assert change(topic, ("cleanup.policy", operation, value)) == (0, None)
        assert configs_of(topic) == {"cleanup.policy": expected}


def test_deleting_what_nobody_knows(topic: Asker) -> None:
    assert change(topic, ("foo", DELETE, None)) == (0, None)


@pytest.mark.parametrize(
    ("configs", "code", "message"),
    [
        (
            [("retention.ms", APPEND, "5")],
            ErrorCode.INVALID_CONFIG,
            "Can't APPEND to key retention.ms because its type is not LIST.",
        ),
        (
            [("retention.ms", SUBTRACT, "5")],
            ErrorCode.INVALID_CONFIG,
            "Can't SUBTRACT to key retention.ms because its type is not LIST.",
        ),
        ([("retention.ms", 9, "5")], ErrorCode.UNKNOWN_SERVER_ERROR, None),
        ([("retention.ms", -1, "5")], ErrorCode.UNKNOWN_SERVER_ERROR, None),
        (
            [("retention.ms", SET, None)],
            ErrorCode.INVALID_REQUEST,
            "Null value not supported for : retention.ms",
        ),
        (
            [("cleanup.policy", APPEND, None)],
            ErrorCode.INVALID_REQUEST,
            "Null value not supported for : cleanup.policy",
        ),
        ([("foo", SET, "1")], ErrorCode.INVALID_CONFIG, "Unknown topic config name: foo"),
        (
            [("retention.ms", SET, "1"), ("retention.ms", DELETE, None)],
            ErrorCode.INVALID_REQUEST,
            "Error due to duplicate config keys",
        ),
    ],
)
def test_changes_that_cannot_be(
    topic: Asker, configs: list[Config], code: ErrorCode, message: str | None
) -> None:
    assert change(topic, ("segment.ms", SET, "5"), *configs) == (code, message)
    assert configs_of(topic) == {}


def test_each_resource_for_itself(topic: Asker) -> None:
    topic.create("u")
    results = ask(
        topic,
        resource(TOPIC, "t", ("retention.ms", SET, "1")),
        resource(TOPIC, "t", ("segment.ms", SET, "1")),
        resource(TOPIC, "u", ("segment.ms", SET, "20")),
        resource(TOPIC, "nope", ("segment.ms", SET, "20")),
        resource(TOPIC, "", ("segment.ms", SET, "20")),
        resource(3, "x", ("segment.ms", SET, "20")),
    )
    assert results == [
        (ErrorCode.INVALID_REQUEST, "Each resource must appear at most once."),
        (ErrorCode.INVALID_REQUEST, "Each resource must appear at most once."),
        (0, None),
        (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "The topic 'nope' does not exist."),
        (ErrorCode.INVALID_REQUEST, "Default topic resources are not allowed."),
        (ErrorCode.INVALID_REQUEST, "Unknown resource type 3"),
    ]
    assert (configs_of(topic), configs_of(topic, "u")) == ({}, {"segment.ms": "20"})


def test_validation_changes_nothing(topic: Asker) -> None:
    wanted = resource(TOPIC, "t", ("retention.ms", SET, "7"))
    assert ask(topic, wanted, validate=True) == [(0, None)]
    assert configs_of(topic) == {}


def test_broker_values_take_effect_layer_by_layer(asker: Asker) -> None:
    config = asker.broker.config
    assert ask(asker, resource(BROKER, "", ("log.retention.ms", SET, "5000"))) == [(0, None)]
    assert config.log_retention_ms == 5000
    assert ask(asker, resource(BROKER, "1", ("log.retention.ms", SET, "6000"))) == [(0, None)]
    assert config.log_retention_ms == 6000
    assert ask(asker, resource(BROKER, "1", ("log.retention.ms", DELETE, None))) == [(0, None)]
    assert config.log_retention_ms == 5000


@pytest.mark.parametrize(
    ("name", "key", "value", "code", "message"),
    [
        ("1", "node.id", "5", 42, "Cannot update these configs dynamically: [node.id]"),
        ("", "num.partitions", "5", 42, "Cannot update these configs dynamically: [num.partitions]"),
        ("2", "log.retention.ms", "5", 42, "Unexpected broker id, expected 1, but received 2"),
        (
            "",
            "listeners",
            "PLAINTEXT://:1",
            42,
            "Cannot update these configs at default cluster level, broker id must be specified: [listeners]",
        ),
        (
            "1",
            "min.insync.replicas",
            "1",
            40,
            "Broker-level min.insync.replicas cannot be altered while ELR is enabled.",
        ),
    ],
)
def test_broker_changes_that_cannot_be(
    asker: Asker, name: str, key: str, value: str, code: int, message: str
) -> None:
    assert ask(asker, resource(BROKER, name, (key, SET, value))) == [(code, message)]


def test_the_cluster_wide_minimum_stays(asker: Asker) -> None:
    text = "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."
    wanted = resource(BROKER, "", ("min.insync.replicas", DELETE, None))
    assert ask(asker, wanted) == [(ErrorCode.INVALID_CONFIG, text)]


def test_no_broker_has_a_minimum_of_its_own(asker: Asker) -> None:
    text = "Broker-level min.insync.replicas cannot be altered while ELR is enabled."
    wanted = resource(BROKER, "1", ("min.insync.replicas", DELETE, None))
    assert ask(asker, wanted) == [(ErrorCode.INVALID_CONFIG, text)]


def test_keys_that_nobody_knows_pass_on_brokers(asker: Asker) -> None:
    assert ask(asker, resource(BROKER, "1", ("foo.bar", SET, "5"))) == [(0, None)]


def test_a_logger_changes_at_once(asker: Asker, logger: logging.Logger) -> None:
    assert ask(asker, resource(LOGGER, "1", (LOGGER_NAME, SET, "DEBUG"))) == [(0, None)]
    assert logger.level == logging.DEBUG
    assert ask(asker, resource(LOGGER, "1", (LOGGER_NAME, SET, "WARN")), validate=True) == [(0, None)]
    assert logger.level == logging.DEBUG
    assert ask(asker, resource(LOGGER, "1", (LOGGER_NAME, DELETE, None))) == [(0, None)]
    assert logger.level == logging.NOTSET


@pytest.mark.parametrize(
    ("name", "config", "code", "message"),
    [
        (
            "1",
            ("root", SET, "FOO"),
            40,
            "Cannot set the log level of root to FOO as it is not a supported log level."
            " Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN",
        ),
        ("1", ("kafka.foo", SET, "INFO"), 40, "Logger kafka.foo does not exist!"),
        ("2", ("root", SET, "INFO"), 42, "Unexpected node id. Expected 1, but received 2"),
        ("1", ("root", APPEND, "INFO"), 42, "APPEND operation is not allowed for the BROKER_LOGGER resource"),
        ("1", ("root", DELETE, None), 42, "Removing the log level of the root logger is not allowed"),
    ],
)
def test_logger_changes_that_cannot_be(
    asker: Asker, name: str, config: Config, code: int, message: str
) -> None:
    assert ask(asker, resource(LOGGER, name, config)) == [(code, message)]


def test_groups(asker: Asker) -> None:
    key = "consumer.session.timeout.ms"
    assert ask(asker, resource(GROUP, "g", (key, SET, "50000"))) == [(0, None)]
    assert asker.broker.metadata.image.configs[(GROUP, "g")] == {key: "50000"}
    assert ask(
        asker,
        resource(GROUP, "g", (key, SET, "5")),
        resource(GROUP, "", (key, SET, "50000")),
        resource(GROUP, "h", ("foo", SET, "5")),
    ) == [
        (ErrorCode.INVALID_CONFIG, f"{key} must be in the range 45000 to 60000 inclusive."),
        (ErrorCode.INVALID_REQUEST, "Default group resources are not allowed."),
        (ErrorCode.INVALID_CONFIG, "Unknown group config name: foo"),
    ]


def test_metrics_subscriptions(asker: Asker) -> None:
    wanted = resource(CLIENT_METRICS, "m", ("interval.ms", SET, "1000"), ("metrics", SET, "a,b"))
    assert ask(asker, wanted) == [(0, None)]
    assert ask(
        asker,
        resource(CLIENT_METRICS, "m", ("interval.ms", SET, "10")),
        resource(CLIENT_METRICS, "n", ("foo", SET, "10")),
        resource(CLIENT_METRICS, "", ("interval.ms", SET, "1000")),
    ) == [
        (42, "Invalid value 10 for interval.ms, interval must be between 100 and 3600000 (1 hour)"),
        (42, "Unknown client metrics configuration: foo"),
        (42, "Subscription name can't be empty"),
    ]
