"""AlterConfigs and IncrementalAlterConfigs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compat.oracle.run import Run, scenario
from compat.oracle.scenarios.describe_configs import BROKER, CLIENT_METRICS, GROUP, LOGGER, TOPIC, ask
from kstream.wire.messages import alter_configs as full
from kstream.wire.messages import incremental_alter_configs as incremental
from kstream.wire.messages.alter_configs import AlterConfigsRequest
from kstream.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest

SET, DELETE, APPEND, SUBTRACT = range(4)
_OPERATIONS = ("set", "delete", "append", "subtract")

# Key, value: what is wrong or right with it for a topic.
_VALUES: list[tuple[str, str | None]] = [
    ("retention.ms", "1000"),
    ("retention.ms", "-1"),
    ("retention.ms", "-2"),
    ("retention.ms", "soon"),
    ("retention.ms", ""),
    ("retention.ms", None),
    ("cleanup.policy", "compact"),
    ("cleanup.policy", "compact,delete"),
    ("cleanup.policy", "keep"),
    ("compression.type", "brotli"),
    ("segment.bytes", "13"),
    ("min.cleanable.dirty.ratio", "1.1"),
    ("min.insync.replicas", "0"),
    ("preallocate", "yes"),
    ("no.such.config", "1"),
    ("", "1"),
    ("message.timestamp.type", "LogAppendTime"),
    ("remote.storage.enable", "true"),
    ("local.retention.ms", "999999999999"),
    ("leader.replication.throttled.replicas", "*"),
    ("max.message.bytes", "99999999999"),
]


def replace(
    *resources: tuple[int, str, Sequence[tuple[str, str | None]]], **fields: Any
) -> AlterConfigsRequest:
    """AlterConfigs. Each resource: type, name, pairs of key and value."""
    return AlterConfigsRequest(
        resources=[
            full.AlterConfigsResource(
                resource_type=kind,
                resource_name=name,
                configs=[full.AlterableConfig(name=key, value=value) for key, value in configs],
            )
            for kind, name, configs in resources
        ],
        **fields,
    )


def change(
    *resources: tuple[int, str, Sequence[tuple[int, str, str | None]]], **fields: Any
) -> IncrementalAlterConfigsRequest:
    """IncrementalAlterConfigs. Each resource: type, name, operations with key and value."""
    return IncrementalAlterConfigsRequest(
        resources=[
            incremental.AlterConfigsResource(
                resource_type=kind,
                resource_name=name,
                configs=[
                    incremental.AlterableConfig(name=key, config_operation=operation, value=value)
                    for operation, key, value in configs
                ],
            )
            for kind, name, configs in resources
        ],
        **fields,
    )


def _settle(run: Run, kind: int, name: str, key: str, value: str | None) -> None:
    """Wait until the broker knows what the controller decided."""
    run.until(
        ask((kind, name, [key])),
        4,
        lambda answer: [each.value for each in answer.results[0].configs] == [value],
    )


@scenario
def alter_configs_topic(run: Run) -> None:
    """AlterConfigs replaces all that was set before."""
    keys = ["retention.ms", "cleanup.policy", "segment.bytes"]
    for version in range(3):
        topic = run.topic(f"v{version}", configs={"segment.bytes": "2000000"}).name
        both = replace((TOPIC, topic, [("retention.ms", "1000"), ("cleanup.policy", "compact")]))
        both.validate_only = True
        run.call("validated only", both, version)
        run.call(f"nothing happened (v{version})", ask((TOPIC, topic, keys)), 4)
        both.validate_only = False
        run.call("two keys", both, version)
        _settle(run, TOPIC, topic, "retention.ms", "1000")
        run.call(f"the third is gone (v{version})", ask((TOPIC, topic, keys)), 4)
        run.call("none", replace((TOPIC, topic, [])), version)
        _settle(run, TOPIC, topic, "retention.ms", "604800000")
        run.call(f"all are gone (v{version})", ask((TOPIC, topic, keys)), 4)
        for key, value in _VALUES:
            request = replace((TOPIC, topic, [(key, value)]), validate_only=True)
            run.call(f"{key}={value}, validated only", request, version)
            run.call(f"{key}={value}", replace((TOPIC, topic, [(key, value)])), version)
        twice = replace((TOPIC, topic, [("retention.ms", "1"), ("retention.ms", "2")]))
        run.call("key twice", twice, version)


@scenario
def alter_configs_resources(run: Run) -> None:
    """Resources that do not exist or are of no kind, and ones that are named twice."""
    topic = run.topic("a").name
    one = [("retention.ms", "1000")]
    for version in range(3):
        run.call("no resources", replace(), version)
        for name in ("no-such-topic", "", "a b"):
            run.call(f"topic {name!r}", replace((TOPIC, name, one)), version)
        for kind in (0, 1, 3, 64, -1):
            run.call(f"kind {kind}", replace((kind, topic, one)), version)
        for name in ("2", "x", "-1"):
            run.call(f"broker {name!r}", replace((BROKER, name, [("num.io.threads", "9")])), version)
        run.call("loggers", replace((LOGGER, "1", [("kafka", "INFO")])), version)
        run.call("twice", replace((TOPIC, topic, one), (TOPIC, topic, one)), version)
        run.call("wrong beside right", replace((TOPIC, "no-such-topic", one), (TOPIC, topic, one)), version)
        run.call("client metrics without a name", replace((CLIENT_METRICS, "", [])), version)
        run.call("group without a name", replace((GROUP, "", [])), version)


@scenario
def incremental_alter_configs_topic(run: Run) -> None:
    """Every operation on every value; lists grow and shrink."""
    keys = ["retention.ms", "cleanup.policy"]
    for version in range(2):
        topic = run.topic(f"v{version}").name
        run.call("no changes", change((TOPIC, topic, [])), version)
        for operation, shown in enumerate(_OPERATIONS):
            for key, value in _VALUES:
                request = change((TOPIC, topic, [(operation, key, value)]), validate_only=True)
                run.call(f"{shown} {key}={value}, validated only", request, version)
        for operation in (4, -1, 127):
            request = change((TOPIC, topic, [(operation, "retention.ms", "1")]))
            run.call(f"operation {operation}", request, version)
        run.call("set", change((TOPIC, topic, [(SET, "retention.ms", "1000")])), version)
        _settle(run, TOPIC, topic, "retention.ms", "1000")
        run.call("append", change((TOPIC, topic, [(APPEND, "cleanup.policy", "compact")])), version)
        _settle(run, TOPIC, topic, "cleanup.policy", "delete,compact")
        run.call(f"both (v{version})", ask((TOPIC, topic, keys)), 4)
        run.call("append again", change((TOPIC, topic, [(APPEND, "cleanup.policy", "compact")])), version)
        run.call("subtract", change((TOPIC, topic, [(SUBTRACT, "cleanup.policy", "delete")])), version)
        _settle(run, TOPIC, topic, "cleanup.policy", "compact")
        run.call(
            "subtract the last", change((TOPIC, topic, [(SUBTRACT, "cleanup.policy", "compact")])), version
        )
        run.call("delete", change((TOPIC, topic, [(DELETE, "retention.ms", None)])), version)
        _settle(run, TOPIC, topic, "retention.ms", "604800000")
        run.call("delete again", change((TOPIC, topic, [(DELETE, "retention.ms", None)])), version)


@scenario
def incremental_alter_configs_resources(run: Run) -> None:
    """Resources that do not exist or are of no kind, keys and resources that are named twice."""
    topic = run.topic("a").name
    one = [(SET, "retention.ms", "1000")]
    for version in range(2):
        run.call("no resources", change(), version)
        for name in ("no-such-topic", "", "a b"):
            run.call(f"topic {name!r}", change((TOPIC, name, one)), version)
        for kind in (0, 1, 3, 64, -1):
            run.call(f"kind {kind}", change((kind, topic, one)), version)
        for name in ("2", "x", "-1"):
            run.call(f"broker {name!r}", change((BROKER, name, [(SET, "num.io.threads", "9")])), version)
        run.call("twice", change((TOPIC, topic, one), (TOPIC, topic, one)), version)
        run.call("key twice", change((TOPIC, topic, [*one, (SET, "retention.ms", "2000")])), version)
        run.call(
            "key set and deleted", change((TOPIC, topic, [*one, (DELETE, "retention.ms", None)])), version
        )
        run.call("wrong beside right", change((TOPIC, "no-such-topic", one), (TOPIC, topic, one)), version)
        half = change((TOPIC, topic, [*one, (SET, "cleanup.policy", "keep")]))
        run.call("one of two keys wrong", half, version)
        run.call("client metrics without a name", change((CLIENT_METRICS, "", [])), version)
        run.call("group without a name", change((GROUP, "", [])), version)


@scenario
def incremental_alter_configs_broker(run: Run) -> None:
    """A broker's configs: what can be changed while it runs, and for all brokers at once."""
    values: list[tuple[str, str | None]] = [
        ("num.io.threads", "9"),
        ("num.io.threads", "0"),
        ("num.io.threads", "many"),
        ("num.partitions", "3"),
        ("auto.create.topics.enable", "false"),
        ("node.id", "2"),
        ("log.dirs", "/elsewhere"),
        ("log.retention.ms", "1000"),
        ("message.max.bytes", "2000000"),
        ("listeners", "PLAINTEXT://:1"),
        ("no.such.config", "1"),
        ("log.cleaner.threads", "100"),
        ("unclean.leader.election.enable", "true"),
        ("min.insync.replicas", "1"),
        ("log.segment.bytes", "13"),
        ("ssl.keystore.password", "secret"),
    ]
    for version in range(2):
        for name in ("1", ""):
            for key, value in values:
                request = change((BROKER, name, [(SET, key, value)]), validate_only=True)
                run.call(f"broker {name!r}: set {key}={value}, validated only", request, version)
            for key in dict(values):
                request = change((BROKER, name, [(DELETE, key, None)]), validate_only=True)
                run.call(f"broker {name!r}: delete {key}, validated only", request, version)


@scenario
def incremental_alter_configs_precedence(run: Run) -> None:
    """A topic's value wins over its broker's, that over the one for all brokers, that over the static one."""
    topic = run.topic("a").name
    key = "log.flush.interval.ms"
    about = ask((BROKER, "1", [key]), (TOPIC, topic, ["flush.ms"]), synonyms=True)

    def step(
        note: str, kind: int, name: str, changed: tuple[int, str, str | None], settled: str | None
    ) -> None:
        run.call(note, change((kind, name, [changed])), 1)
        on_topic = run.until(
            ask((TOPIC, topic, ["flush.ms"])), 4, lambda answer: answer.results[0].configs[0].value == settled
        )
        assert on_topic
        run.call(f"after: {note}", about, 4)

    run.call("before", about, 4)
    step("for all brokers", BROKER, "", (SET, key, "11000"), "11000")
    step("for this broker", BROKER, "1", (SET, key, "12000"), "12000")
    step("for the topic", TOPIC, topic, (SET, "flush.ms", "13000"), "13000")
    step("not for the topic", TOPIC, topic, (DELETE, "flush.ms", None), "12000")
    step("not for this broker", BROKER, "1", (DELETE, key, None), "11000")
    step("not for all brokers", BROKER, "", (DELETE, key, None), str(2**63 - 1))
