"""ApiVersions answers as Apache Kafka 4.4.0 was seen to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kstream.api.registry import advertised
from kstream.errors import ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from tests.api.conftest import Asker

SUPPORTED = {
    "group.version": (0, 1),
    "kraft.version": (0, 1),
    "metadata.version": (7, 33),
    "share.version": (0, 2),
    "streams.version": (0, 1),
    "transaction.version": (0, 2),
    "eligible.leader.replicas.version": (0, 1),
}
FINALIZED = {
    "group.version": 1,
    "streams.version": 1,
    "transaction.version": 2,
    "eligible.leader.replicas.version": 1,
    "share.version": 2,
    "metadata.version": 33,
}
CLIENT_METRICS_APIS = {ApiKey.GET_TELEMETRY_SUBSCRIPTIONS, ApiKey.PUSH_TELEMETRY}


def ask(
    asker: Asker, version: int, name: str = "a-client", software_version: str = "1.0", **fields: object
) -> ApiVersionsResponse:
    request = ApiVersionsRequest()
    if version >= 3:
        request = ApiVersionsRequest(client_software_name=name, client_software_version=software_version)
    for field, value in fields.items():
        setattr(request, field, value)
    return asker.ask(request, version, ApiVersionsResponse)


@pytest.mark.parametrize("version", range(6))
def test_lists_exactly_what_handlers_registered(asker: Asker, version: int) -> None:
    answer = ask(asker, version)
    listed = {key.api_key: (key.min_version, key.max_version) for key in answer.api_keys}
    assert answer.error_code == 0
    served = {item.key: (item.advertised_min, item.version_max) for item in advertised()}
    assert listed == {key: versions for key, versions in served.items() if key not in CLIENT_METRICS_APIS}
    assert [key.api_key for key in answer.api_keys] == sorted(listed)
    assert listed[ApiKey.METADATA] == (0, 13)
    assert listed[ApiKey.API_VERSIONS] == (0, 5)
    assert listed[ApiKey.PRODUCE][0] == 0


@pytest.mark.parametrize("version", [4, 5])
def test_features_are_those_of_a_new_cluster(asker: Asker, version: int) -> None:
    answer = ask(asker, version)
    supported = {
        feature.name: (feature.min_version, feature.max_version) for feature in answer.supported_features
    }
    finalized = {
        feature.name: (feature.min_version_level, feature.max_version_level)
        for feature in answer.finalized_features
    }
    assert supported == SUPPORTED
    assert finalized == {name: (level, level) for name, level in FINALIZED.items()}
    assert answer.finalized_features_epoch == asker.broker.metadata.image.offset
    assert answer.zk_migration_ready is False


def test_version_3_hides_features_that_begin_at_level_0(asker: Asker) -> None:
    answer = ask(asker, 3)
    assert [feature.name for feature in answer.supported_features] == ["metadata.version"]
    assert len(answer.finalized_features) == len(FINALIZED)


def test_versions_before_3_have_no_features(asker: Asker) -> None:
    answer = ask(asker, 2)
    assert (answer.supported_features, answer.finalized_features) == ([], [])
    assert answer.finalized_features_epoch == -1


@pytest.mark.parametrize(
    ("name", "software_version"),
    [
        ("", ""),
        ("a", "-x"),
        ("-a", "1"),
        ("a.", "1"),
        ("a", "1."),
        ("a_b", "1"),
        ("a/b", "1"),
        ("é", "1"),
        ("a", "1+2"),
    ],
)
def test_odd_software_names_are_refused(asker: Asker, name: str, software_version: str) -> None:
    answer = ask(asker, 3, name, software_version)
    assert answer.error_code == ErrorCode.INVALID_REQUEST
    assert (answer.api_keys, answer.supported_features) == ([], [])


def test_the_connection_remembers_the_software(asker: Asker) -> None:
    ask(asker, 4, "librdkafka", "2.6.1")
    assert (asker.context.client_software_name, asker.context.client_software_version) == (
        "librdkafka",
        "2.6.1",
    )


def test_the_right_cluster_and_node_are_welcome(asker: Asker) -> None:
    answer = ask(asker, 5, cluster_id=asker.broker.cluster_id, node_id=1)
    assert answer.error_code == 0


@pytest.mark.parametrize(
    ("cluster_id", "node_id", "error"),
    [
        ("another", 1, ErrorCode.REBOOTSTRAP_REQUIRED),
        ("own", 7, ErrorCode.REBOOTSTRAP_REQUIRED),
        ("another", -1, ErrorCode.INVALID_REQUEST),
        (None, 1, ErrorCode.INVALID_REQUEST),
    ],
)
def test_another_cluster_or_node(
    start: Callable[..., Asker], cluster_id: str | None, node_id: int, error: ErrorCode
) -> None:
    asker = start()
    wanted = asker.broker.cluster_id if cluster_id == "own" else cluster_id
    answer = ask(asker, 5, cluster_id=wanted, node_id=node_id)
    assert (answer.error_code, answer.api_keys) == (error, [])
