"""DescribeConfigs answers as Apache Kafka 4.4.0 was seen to, but sorted and with documentation of our own."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from kstream.errors import ErrorCode
from kstream.wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
)
from tests.api.conftest import Asker

TOPIC, BROKER, LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
DYNAMIC_DEFAULT, STATIC, DEFAULT, BROKER_LOGGER = 3, 4, 5, 6


def ask(
    asker: Asker,
    *resources: tuple[int, str],
    keys: list[str] | None = None,
    version: int = 4,
    synonyms: bool = False,
    documentation: bool = False,
) -> list[DescribeConfigsResult]:
    wanted = [
        DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=keys)
        for kind, name in resources
    ]
    request = DescribeConfigsRequest(resources=wanted, include_synonyms=synonyms)
    if documentation:
        request.include_documentation = True
    return asker.ask(request, version, DescribeConfigsResponse).results


def rows(result: DescribeConfigsResult) -> dict[str, DescribeConfigsResourceResult]:
    assert (result.error_code, result.error_message) == (0, "")
    return {row.name: row for row in result.configs}


def synonyms_of(row: DescribeConfigsResourceResult) -> list[tuple[str, str | None, int]]:
    return [(synonym.name, synonym.value, synonym.source) for synonym in row.synonyms]


@pytest.mark.parametrize("version", range(1, 5))
def test_a_topic_in_every_version(asker: Asker, version: int) -> None:
    asker.create("t", retention_ms="1000")
    (result,) = ask(asker, (TOPIC, "t"), version=version)
    found = rows(result)
    assert len(found) == 37
    row = found["retention.ms"]
    assert (row.value, row.config_source, row.read_only, row.is_sensitive) == ("1000", 1, False, False)
    assert row.config_type == (5 if version >= 3 else 0)
    assert (row.synonyms, row.documentation) == ([], None if version >= 3 else "")


@pytest.mark.parametrize("keys", [None, []])
def test_no_keys_mean_all(asker: Asker, keys: list[str] | None) -> None:
    asker.create("t")
    assert len(ask(asker, (TOPIC, "t"), keys=keys)[0].configs) == 37


def test_unknown_keys_are_passed_over(asker: Asker) -> None:
    asker.create("t")
    assert list(rows(ask(asker, (TOPIC, "t"), keys=["retention.ms", "foo.bar"])[0])) == ["retention.ms"]


def test_synonyms_and_documentation(asker: Asker) -> None:
    asker.create("t", cleanup_policy="compact")
    keys = ["cleanup.policy", "min.insync.replicas", "segment.ms"]
    found = rows(ask(asker, (TOPIC, "t"), keys=keys, synonyms=True, documentation=True)[0])
    assert synonyms_of(found["cleanup.policy"]) == [
        ("cleanup.policy", "compact", 1),
        ("log.cleanup.policy", "delete", DEFAULT),
    ]
    assert synonyms_of(found["min.insync.replicas"]) == [
        ("min.insync.replicas", "1", DYNAMIC_DEFAULT),
        ("min.insync.replicas", "1", DEFAULT),
    ]
    assert synonyms_of(found["segment.ms"]) == []
    assert all(row.documentation for row in found.values())


def test_topics_that_are_not_there(asker: Asker) -> None:
    results = ask(asker, (TOPIC, "nope"), (TOPIC, "bad name"), (TOPIC, ""))
    assert [(result.error_code, result.configs) for result in results] == [
        (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, []),
        (ErrorCode.INVALID_TOPIC_EXCEPTION, []),
        (ErrorCode.INVALID_TOPIC_EXCEPTION, []),
    ]
    assert results[0].error_message == ""
    assert results[2].error_message == "Topic name is invalid: the empty string is not allowed"


def test_this_broker(start: Callable[..., Asker]) -> None:
    asker = start(num_partitions="7")
    found = rows(ask(asker, (BROKER, "1"), synonyms=True)[0])
    partitions = found["num.partitions"]
    assert (partitions.value, partitions.config_source, partitions.read_only) == ("7", STATIC, True)
    assert synonyms_of(partitions) == [("num.partitions", "7", STATIC), ("num.partitions", "1", DEFAULT)]
    assert found["log.segment.bytes"].read_only is False
    password = found["ssl.keystore.password"]
    assert (password.value, password.is_sensitive) == (None, True)
    assert len(found) > 300


def test_the_cluster_wide_default(asker: Asker) -> None:
    found = rows(ask(asker, (BROKER, ""), synonyms=True)[0])
    assert {name: synonyms_of(row) for name, row in found.items()} == {
        "min.insync.replicas": [("min.insync.replicas", "1", DYNAMIC_DEFAULT)]
    }


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        (BROKER, "2", "Unexpected broker id, expected 1 or empty string, but received 2"),
        (BROKER, " 1", "Broker id must be an integer, but it is:  1"),
        (BROKER, "x", "Broker id must be an integer, but it is: x"),
        (LOGGER, "2", "Unexpected broker id, expected 1 but received 2"),
        (LOGGER, "", "Broker id must not be empty"),
        (GROUP, "", "Group name must not be empty"),
        (CLIENT_METRICS, "", "Client metrics subscription name must not be empty"),
    ],
)
def test_names_that_cannot_be(asker: Asker, kind: int, name: str, message: str) -> None:
    (result,) = ask(asker, (kind, name))
    assert (result.error_code, result.error_message) == (ErrorCode.INVALID_REQUEST, message)


def test_loggers(asker: Asker) -> None:
    logging.getLogger("kstream.described")
    (result,) = ask(asker, (LOGGER, "1"), keys=["root", "kstream.described"])
    assert [(row.name, row.config_source, row.config_type) for row in result.configs] == [
        ("root", BROKER_LOGGER, 0),
        ("kstream.described", BROKER_LOGGER, 0),
    ]
    assert {row.value for row in result.configs} <= {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}


def test_groups_and_metrics_subscriptions(asker: Asker) -> None:
    group, metrics = ask(asker, (GROUP, "g"), (CLIENT_METRICS, "m"), synonyms=True)
    assert synonyms_of(rows(group)["consumer.session.timeout.ms"]) == [
        ("group.consumer.session.timeout.ms", "45000", DEFAULT)
    ]
    assert {name: row.value for name, row in rows(metrics).items()} == {
        "interval.ms": "300000",
        "match": "",
        "metrics": "",
    }


@pytest.mark.parametrize("kind", [0, 3, 99])
def test_an_unknown_type_fails_the_request(asker: Asker, kind: int) -> None:
    asker.create("t")
    results = ask(asker, (TOPIC, "t"), (kind, "x"))
    assert [(result.error_code, result.configs) for result in results] == [
        (ErrorCode.INVALID_REQUEST, [])
    ] * 2


def test_a_resource_may_be_asked_for_twice(asker: Asker) -> None:
    asker.create("t")
    assert [len(result.configs) for result in ask(asker, (TOPIC, "t"), (TOPIC, "t"))] == [37, 37]
