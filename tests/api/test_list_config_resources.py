"""ListConfigResources: who has configuration."""

from __future__ import annotations

import pytest

from kstream.broker.metadata.image import ResourceType
from kstream.errors import ErrorCode
from kstream.wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from kstream.wire.messages.list_config_resources import (
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)
from tests.api.conftest import Asker

TOPIC, BROKER, LOGGER, METRICS, GROUP = 2, 4, 8, 16, 32


def _set(asker: Asker, kind: int, name: str, key: str, value: str) -> None:
    resource = AlterConfigsResource(
        resource_type=kind, resource_name=name, configs=[AlterableConfig(name=key, value=value)]
    )
    request = IncrementalAlterConfigsRequest(resources=[resource])
    answer = asker.ask(request, 1, IncrementalAlterConfigsResponse)
    assert [each.error_code for each in answer.responses] == [0]


@pytest.fixture
def configured(asker: Asker) -> Asker:
    asker.create("t")
    _set(asker, GROUP, "g", "consumer.session.timeout.ms", "50000")
    _set(asker, METRICS, "m", "interval.ms", "1000")
    return asker


def _list(asker: Asker, *kinds: int) -> set[tuple[int, str]]:
    request = ListConfigResourcesRequest(resource_types=list(kinds))
    answer = asker.ask(request, 1, ListConfigResourcesResponse)
    assert answer.error_code == 0
    return {(each.resource_type, each.resource_name) for each in answer.config_resources}


def test_all_and_some(configured: Asker) -> None:
    everything = {(TOPIC, "t"), (BROKER, "1"), (LOGGER, "1"), (METRICS, "m"), (GROUP, "g")}
    assert _list(configured) == everything
    for kind in (TOPIC, BROKER, LOGGER, METRICS, GROUP):
        assert _list(configured, kind, kind) == {each for each in everything if each[0] == kind}
    assert _list(configured, TOPIC, GROUP) == {(TOPIC, "t"), (GROUP, "g")}


def test_version_0_is_about_client_metrics(configured: Asker) -> None:
    answer = configured.ask(ListConfigResourcesRequest(), 0, ListConfigResourcesResponse)
    assert [each.resource_name for each in answer.config_resources] == ["m"]


@pytest.mark.parametrize("kinds", [[0], [1], [64], [-1], [ResourceType.TOPIC, 3]])
def test_types_that_are_none(configured: Asker, kinds: list[int]) -> None:
    request = ListConfigResourcesRequest(resource_types=kinds)
    answer = configured.ask(request, 1, ListConfigResourcesResponse)
    assert (answer.error_code, answer.config_resources) == (ErrorCode.UNSUPPORTED_VERSION, [])
