"""DescribeConfigs."""

from __future__ import annotations

from collections.abc import Sequence

from compat.oracle.run import Run, scenario
from kstream.wire.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource

VERSIONS = range(1, 5)
TOPIC, BROKER, LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32


def ask(
    *resources: tuple[int, str, Sequence[str] | None], synonyms: bool = False, documentation: bool = False
) -> DescribeConfigsRequest:
    """Each resource: type, name, keys (None: all of them)."""
    return DescribeConfigsRequest(
        resources=[
            DescribeConfigsResource(
                resource_type=kind,
                resource_name=name,
                configuration_keys=None if keys is None else list(keys),
            )
            for kind, name, keys in resources
        ],
        include_synonyms=synonyms,
        include_documentation=documentation,
    )


@scenario
def describe_configs_topic(run: Run) -> None:
    """A topic's configs: all, some, none, unknown ones; defaults and overrides with their synonyms."""
    plain = run.topic("a").name
    own = run.topic("b", configs={"retention.ms": "1000", "cleanup.policy": "compact"}).name
    keys = ["retention.ms", "cleanup.policy", "segment.bytes", "min.insync.replicas", "compression.type"]
    for version in VERSIONS:
        for synonyms in (False, True):
            with_synonyms = ", synonyms" if synonyms else ""
            run.call(f"all{with_synonyms}", ask((TOPIC, plain, None), synonyms=synonyms), version)
            run.call(f"some{with_synonyms}", ask((TOPIC, own, keys), synonyms=synonyms), version)
        run.call("no keys", ask((TOPIC, own, [])), version)
        run.call("unknown key", ask((TOPIC, own, ["no.such.config", "retention.ms"])), version)
        run.call("key twice", ask((TOPIC, own, ["retention.ms", "retention.ms"])), version)
        run.call("empty key", ask((TOPIC, own, [""])), version)
        if version >= 3:
            run.call("documentation", ask((TOPIC, own, keys), documentation=True), version)


@scenario
def describe_configs_broker(run: Run) -> None:
    """A broker's configs, and those of all brokers (no name)."""
    keys = [
        "log.retention.ms",
        "log.retention.hours",
        "num.io.threads",
        "message.max.bytes",
        "background.threads",
    ]
    keys += [
        "log.cleaner.threads",
        "auto.create.topics.enable",
        "num.partitions",
        "log.segment.bytes",
        "node.id",
    ]
    for version in VERSIONS:
        for synonyms in (False, True):
            with_synonyms = ", synonyms" if synonyms else ""
            run.call(f"some{with_synonyms}", ask((BROKER, "1", keys), synonyms=synonyms), version)
            run.call(f"all brokers{with_synonyms}", ask((BROKER, "", None), synonyms=synonyms), version)
        run.call("no keys", ask((BROKER, "1", [])), version)
        run.call("unknown key", ask((BROKER, "1", ["no.such.config"])), version)
        run.call("all brokers, some", ask((BROKER, "", keys)), version)
        if version >= 3:
            run.call("documentation", ask((BROKER, "1", keys), documentation=True), version)


@scenario
def describe_configs_broker_all(run: Run) -> None:
    """Every config of a broker."""
    run.call("all", ask((BROKER, "1", None)), 4)
    run.call("all, synonyms", ask((BROKER, "1", None), synonyms=True), 4)


@scenario
def describe_configs_unknown(run: Run) -> None:
    """Resources that do not exist, and kinds that do not."""
    topic = run.topic("a").name
    keys = ["retention.ms"]
    for version in VERSIONS:
        run.call("no resources", ask(), version)
        for name in ("no-such-topic", "", "a b", "a" * 250):
            run.call(f"topic {name[:20]!r} of {len(name)}", ask((TOPIC, name, keys)), version)
        for name in ("2", "-1", "x", "1.0", " 1", "99999999999"):
            run.call(f"broker {name!r}", ask((BROKER, name, ["num.io.threads"])), version)
        for name in ("2", "", "x"):
            run.call(f"loggers of {name!r}", ask((LOGGER, name, [])), version)
        for kind in (0, 1, 3, 64, -1, 127):
            run.call(f"kind {kind}", ask((kind, topic, keys)), version)
        run.call("client metrics", ask((CLIENT_METRICS, "nothing", None)), version)
        run.call("client metrics without a name", ask((CLIENT_METRICS, "", None)), version)
        run.call("group without a name", ask((GROUP, "", None)), version)
        run.call("twice", ask((TOPIC, topic, keys), (TOPIC, topic, ["cleanup.policy"])), version)
        run.call(
            "several", ask((TOPIC, topic, keys), (TOPIC, "no-such-topic", keys), (BROKER, "1", [])), version
        )


@scenario
def describe_configs_groups(run: Run) -> None:
    """A group's configs: all have defaults, whether or not the group exists (KIP-848, KIP-932)."""
    for version in VERSIONS:
        run.call("all", ask((GROUP, "nobody", None), synonyms=True), version)
