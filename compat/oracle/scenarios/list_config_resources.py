"""ListConfigResources, which was ListClientMetricsResources (KIP-1142)."""

from __future__ import annotations

from collections.abc import Callable

from compat.oracle.run import Run, scenario
from compat.oracle.scenarios.describe_configs import BROKER, CLIENT_METRICS, GROUP, LOGGER, TOPIC
from compat.oracle.scenarios.describe_configs import ask as describe
from kstream.wire.messages.describe_configs import DescribeConfigsResponse
from kstream.wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from kstream.wire.messages.list_config_resources import (
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)


def _set(kind: int, name: str, key: str, value: str | None) -> IncrementalAlterConfigsRequest:
    config = AlterableConfig(name=key, config_operation=0 if value is not None else 1, value=value)
    return IncrementalAlterConfigsRequest(
        resources=[AlterConfigsResource(resource_type=kind, resource_name=name, configs=[config])]
    )


def _has(value: str) -> Callable[[DescribeConfigsResponse], bool]:
    return lambda answer: answer.results[0].configs[0].value == value


@scenario
def list_config_resources(run: Run) -> None:
    """Client metrics subscriptions in version 0; resources of any type since."""
    topic = run.topic("a").name
    group, metrics = run.name("group"), run.name("metrics")
    mine = {topic, group, metrics}

    def trim(response: ListConfigResourcesResponse) -> None:
        kept = [
            each
            for each in response.config_resources
            if each.resource_name in mine or each.resource_type in (BROKER, LOGGER)
        ]
        response.config_resources = sorted(kept, key=lambda each: (each.resource_type, each.resource_name))

    def listed(when: str) -> None:
        run.call(f"{when}: client metrics", ListConfigResourcesRequest(), 0, trim=trim)
        for kinds in (
            [],
            [TOPIC],
            [BROKER],
            [LOGGER],
            [CLIENT_METRICS],
            [GROUP],
            [GROUP, TOPIC],
            [TOPIC, TOPIC],
        ):
            run.call(f"{when}: {kinds}", ListConfigResourcesRequest(resource_types=kinds), 1, trim=trim)

    listed("before")
    for kind, name, key, value in (
        (GROUP, group, "consumer.session.timeout.ms", "50000"),
        (CLIENT_METRICS, metrics, "interval.ms", "1000"),
    ):
        run.call(f"set {key}", _set(kind, name, key, value), 1)
        run.until(describe((kind, name, [key])), 4, _has(value))
    listed("after")
    for kinds in ([0], [1], [3], [64], [-1], [127], [TOPIC, 3]):
        run.call(f"of no kind: {kinds}", ListConfigResourcesRequest(resource_types=kinds), 1, trim=trim)
    for kind, name, key in (
        (GROUP, group, "consumer.session.timeout.ms"),
        (CLIENT_METRICS, metrics, "interval.ms"),
    ):
        run.call(f"take {key} away", _set(kind, name, key, None), 1)
    run.until(
        ListConfigResourcesRequest(resource_types=[GROUP, CLIENT_METRICS]),
        1,
        lambda answer: not {each.resource_name for each in answer.config_resources} & mine,
    )
    listed("in the end")
