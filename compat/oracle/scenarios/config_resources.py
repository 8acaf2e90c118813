"""Configs of broker loggers, groups and client metrics subscriptions: set, read and refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from compat.oracle.run import Run, scenario
from compat.oracle.scenarios.describe_configs import BROKER, CLIENT_METRICS, GROUP, LOGGER
from compat.oracle.scenarios.describe_configs import ask as describe
from kstream.wire.messages.alter_configs import AlterableConfig as PlainConfig
from kstream.wire.messages.alter_configs import AlterConfigsRequest
from kstream.wire.messages.alter_configs import AlterConfigsResource as PlainResource
from kstream.wire.messages.describe_configs import DescribeConfigsResponse
from kstream.wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)

SET, DELETE, APPEND, SUBTRACT = range(4)


def _change(
    kind: int, name: str, *changes: tuple[int, str, str | None], validate_only: bool = False
) -> IncrementalAlterConfigsRequest:
    configs = [
        AlterableConfig(name=key, config_operation=operation, value=value)
        for operation, key, value in changes
    ]
    resource = AlterConfigsResource(resource_type=kind, resource_name=name, configs=configs)
    return IncrementalAlterConfigsRequest(resources=[resource], validate_only=validate_only)


def change_configs(kind: int, name: str, values: Mapping[str, str | None]) -> IncrementalAlterConfigsRequest:
    """Set keys of one resource; None removes one."""
    return _change(
        kind, name, *((DELETE if value is None else SET, key, value) for key, value in values.items())
    )


def _replace(kind: int, name: str, *configs: tuple[str, str | None]) -> AlterConfigsRequest:
    values = [PlainConfig(name=key, value=value) for key, value in configs]
    return AlterConfigsRequest(
        resources=[PlainResource(resource_type=kind, resource_name=name, configs=values)]
    )


def _settle(run: Run, kind: int, name: str, key: str, value: str | None) -> None:
    """Wait until a change is what is described; None: what the resource itself does not set."""

    def is_settled(answer: DescribeConfigsResponse) -> bool:
        found = [(each.value, each.config_source) for each in answer.results[0].configs if each.name == key]
        if value is None:
            return not found or found[0][1] not in (_GROUP_SOURCE, _CLIENT_METRICS_SOURCE)
        return [each for each, _ in found] == [value]

    run.until(describe((kind, name, None)), 4, is_settled)


_CLIENT_METRICS_SOURCE, _GROUP_SOURCE = 7, 8


@scenario
def configs_of_loggers(run: Run) -> None:
    """The root logger's level, changed and put back; what cannot be done to loggers."""

    def change(note: str, *changes: tuple[int, str, str | None], name: str = "1", dry: bool = False) -> None:
        run.call(note, _change(LOGGER, name, *changes, validate_only=dry), 1)

    root = describe((LOGGER, "1", ["root"]), synonyms=True)
    change("root to INFO", (SET, "root", "INFO"))
    for version in range(1, 5):
        run.call("root", root, version)
    change("root to WARN, validated only", (SET, "root", "WARN"), dry=True)
    run.call("root after validation", root, 4)
    change("root to WARN", (SET, "root", "WARN"))
    run.call("root after the change", root, 4)
    for level in (
        "TRACE",
        "DEBUG",
        "ERROR",
        "FATAL",
        "OFF",
        "ALL",
        "warn",
        "",
        "no such level",
        None,
    ):
        change(f"root to {level}, validated only", (SET, "root", level), dry=True)
    change("root removed", (DELETE, "root", None))
    change("root appended", (APPEND, "root", "INFO"))
    change("root subtracted", (SUBTRACT, "root", "INFO"))
    change("no such operation", (7, "root", "INFO"))
    change("no such logger", (SET, "no.such.logger", "INFO"))
    change("no such logger removed", (DELETE, "no.such.logger", None))
    change("no key", (SET, "", "INFO"))
    change("twice", (SET, "root", "INFO"), (SET, "root", "WARN"))
    change("wrong beside right", (SET, "root", "INFO"), (SET, "no.such.logger", "INFO"))
    change("nothing")
    for name in ("2", "", "x", "-1"):
        change(f"of broker {name!r}", (SET, "root", "INFO"), name=name)
        run.call(f"described, of broker {name!r}", describe((LOGGER, name, ["root"])), 4)
    run.call("no such logger, described", describe((LOGGER, "1", ["no.such.logger"])), 4)
    run.call("replaced", _replace(LOGGER, "1", ("root", "INFO")), 2)
    change("root to INFO in the end", (SET, "root", "INFO"))
    run.call("root in the end", root, 4)


_VALUES_OF_GROUPS: Sequence[tuple[str, str]] = (
    ("consumer.session.timeout.ms", "44999"),
    ("consumer.session.timeout.ms", "45000"),
    ("consumer.session.timeout.ms", "60001"),
    ("consumer.session.timeout.ms", "many"),
    ("consumer.session.timeout.ms", ""),
    ("consumer.heartbeat.interval.ms", "4999"),
    ("consumer.heartbeat.interval.ms", "15000"),
    ("consumer.heartbeat.interval.ms", "15001"),
    ("share.session.timeout.ms", "45000"),
    ("share.heartbeat.interval.ms", "1"),
    ("share.record.lock.duration.ms", "14999"),
    ("share.record.lock.duration.ms", "60000"),
    ("share.auto.offset.reset", "earliest"),
    ("share.auto.offset.reset", "middle"),
    ("share.auto.offset.reset", "by_duration:PT1H"),
    ("share.isolation.level", "read_committed"),
    ("share.isolation.level", "read_all"),
    ("streams.session.timeout.ms", "45000"),
    ("streams.num.standby.replicas", "1"),
    ("streams.num.standby.replicas", "3"),
    ("no.such.config", "1"),
)


@scenario
def configs_of_groups(run: Run) -> None:
    """A group's configs, changed, replaced and taken away (KIP-848, KIP-932)."""
    group = run.name("group")
    for version in range(2):
        for key, value in _VALUES_OF_GROUPS:
            request = _change(GROUP, group, (SET, key, value), validate_only=True)
            run.call(f"{key}={value}, validated only", request, version)
    key = "consumer.session.timeout.ms"
    run.call("set", _change(GROUP, group, (SET, key, "50000")), 1)
    _settle(run, GROUP, group, key, "50000")
    run.call("all, after one is set", describe((GROUP, group, None), synonyms=True), 4)
    run.call("replaced", _replace(GROUP, group, ("consumer.heartbeat.interval.ms", "6000")), 2)
    _settle(run, GROUP, group, "consumer.heartbeat.interval.ms", "6000")
    run.call("some, after replacing", describe((GROUP, group, [key, "consumer.heartbeat.interval.ms"])), 4)
    run.call("appended", _change(GROUP, group, (APPEND, key, "1")), 1)
    run.call("replaced by nothing", _replace(GROUP, group), 2)
    _settle(run, GROUP, group, "consumer.heartbeat.interval.ms", None)
    run.call("some, after all", describe((GROUP, group, [key, "consumer.heartbeat.interval.ms"])), 4)
    run.call("without a name", _change(GROUP, "", (SET, key, "50000")), 1)
    run.call("without a name, replaced", _replace(GROUP, "", (key, "50000")), 2)


_VALUES_OF_METRICS: Sequence[tuple[str, str]] = (
    ("interval.ms", "99"),
    ("interval.ms", "100"),
    ("interval.ms", "3600000"),
    ("interval.ms", "3600001"),
    ("interval.ms", "many"),
    ("metrics", "org.apache.kafka.producer."),
    ("metrics", "*"),
    ("metrics", ""),
    ("match", "client_id=.*"),
    ("match", "client_id=(,client_software_name=b"),
    ("match", "client_id"),
    ("match", "no_such_label=x"),
    ("match", "client_id=a,client_id=b"),
    ("match", "client_software_version=1.*,client_source_port=9,client_source_address=127.0.0.1"),
    ("match", "client_instance_id=b69cc35a-7a54-4790-aa69-cc2bd4ee4538"),
    ("match", ""),
    ("no.such.config", "1"),
)


@scenario
def configs_of_client_metrics(run: Run) -> None:
    """Subscriptions to the metrics of clients, made, changed and taken away (KIP-714)."""
    name = run.name("metrics")
    for version in range(2):
        for key, value in _VALUES_OF_METRICS:
            request = _change(CLIENT_METRICS, name, (SET, key, value), validate_only=True)
            run.call(f"{key}={value}, validated only", request, version)
    matches = "client_id=nobody-has-this-name"
    run.call("set", _change(CLIENT_METRICS, name, (SET, "match", matches), (SET, "metrics", "a.b,c.d")), 1)
    _settle(run, CLIENT_METRICS, name, "match", matches)
    for version in range(1, 5):
        run.call("all", describe((CLIENT_METRICS, name, None), synonyms=True), version)
    run.call("some", describe((CLIENT_METRICS, name, ["metrics", "interval.ms", "no.such"])), 4)
    run.call("appended", _change(CLIENT_METRICS, name, (APPEND, "metrics", "e.f")), 1)
    run.call("subtracted", _change(CLIENT_METRICS, name, (SUBTRACT, "metrics", "a.b,c.d")), 1)
    run.call("replaced", _replace(CLIENT_METRICS, name, ("interval.ms", "1000")), 2)
    _settle(run, CLIENT_METRICS, name, "interval.ms", "1000")
    run.call("all, after replacing", describe((CLIENT_METRICS, name, None)), 4)
    run.call("deleted", _change(CLIENT_METRICS, name, (DELETE, "interval.ms", None)), 1)
    _settle(run, CLIENT_METRICS, name, "interval.ms", None)
    run.call("all, in the end", describe((CLIENT_METRICS, name, None)), 4)


@scenario
def configs_of_no_kind(run: Run) -> None:
    """Replacing configs of a broker that is another, and of kinds that are none."""
    for kind, name in (
        (BROKER, "2"),
        (BROKER, "x"),
        (LOGGER, "2"),
        (CLIENT_METRICS, ""),
        (GROUP, ""),
        (3, "a"),
    ):
        run.call(f"kind {kind}, {name!r}", _replace(kind, name, ("interval.ms", "1000")), 2)
