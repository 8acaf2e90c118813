"""DescribeConfigs rows are those of Apache Kafka 4.4.0.

`described.txt` holds the answers of a real broker, started with `STATIC` and then changed as `DYNAMIC_BROKER`
and `DYNAMIC_DEFAULT` say, about itself, the cluster-wide default, a topic, a group and a metrics
subscription.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kstream.config import BrokerConfig
from kstream.config.describe import (
    ConfigEntry,
    describe_broker,
    describe_broker_default,
    describe_client_metrics,
    describe_group,
    describe_topic,
)
from kstream.config.key import ConfigSource, ConfigType

STATIC = {
    "process.roles": "broker,controller",
    "node.id": "5",
    "controller.quorum.voters": "5@127.0.0.1:19501",
    "listeners": "PLAINTEXT://127.0.0.1:19500,CONTROLLER://127.0.0.1:19501",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "log.dirs": "/tmp/cfg/k/data",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "log.retention.hours": "24",
    "log.roll.ms": "100000",
    "num.partitions": "3",
    "log.segment.bytes": "2000000",
    "log.cleanup.policy": "delete, compact",
    "auto.create.topics.enable": "FALSE",
    "ssl.keystore.password": "secret",
    "some.unknown.key": "7",
    "compression.type": "producer",
}
ELR = {"min.insync.replicas": "1"}  # Kafka's controller sets it, for KIP-966
DYNAMIC_BROKER = {
    "log.retention.ms": "6000",
    "log.segment.bytes": "3000000",
    "bogus.key": "4",
    "log.flush.interval.ms": "70",
}
DYNAMIC_DEFAULT = {
    **ELR,
    "log.retention.ms": "5000",
    "message.max.bytes": "123456",
    "log.roll.jitter.ms": "50",
}
TOPIC = {"retention.ms": "777", "cleanup.policy": "compact, delete"}


def recorded() -> dict[tuple[str, str], dict[str, str]]:
    """Rows by moment (static, dynamic) and resource type; the broker's nameless resource is DEFAULT."""
    answers: dict[tuple[str, str], dict[str, str]] = {}
    moment = ""
    for line in Path(__file__).with_name("described.txt").read_text().splitlines()[1:]:
        if line.startswith("# "):
            moment = line.removeprefix("# ")
        elif line.startswith("=="):
            _, kind, name, _ = line.split()
            rows = answers.setdefault((moment, "DEFAULT" if name == "-" else kind), {})
        else:
            rows[line.split(" = ")[0]] = line
    return answers


def as_line(row: ConfigEntry) -> str:
    kind = ConfigType(row.type).name if row.type else "UNKNOWN"
    flags = " RO" * row.is_read_only + " SENS" * row.is_sensitive
    synonyms = " ".join(f"{name}={text(value)}@{source.name}" for name, value, source in row.synonyms)
    return f"{row.name} = {text(row.value)} {row.source.name} {kind}{flags} [{synonyms}]"


def text(value: str | None) -> str:
    return "null" if value is None else value


def config_at(moment: str) -> BrokerConfig:
    config = BrokerConfig(STATIC)
    if moment == "static":
        config.set_dynamic(broker={}, default=ELR)
    else:
        config.set_dynamic(broker=DYNAMIC_BROKER, default=DYNAMIC_DEFAULT)
    return config


@pytest.mark.parametrize("moment", ["static", "dynamic"])
@pytest.mark.parametrize("kind", ["TOPIC", "DEFAULT"])
def test_topic_and_default(moment: str, kind: str) -> None:
    config = config_at(moment)
    rows = describe_topic(config, TOPIC) if kind == "TOPIC" else describe_broker_default(config)
    assert {row.name: as_line(row) for row in rows} == recorded()[(moment, kind)]


@pytest.mark.parametrize("moment", ["static", "dynamic"])
def test_broker(moment: str) -> None:
    expected = recorded()[(moment, "BROKER")]
    rows = {row.name: row for row in describe_broker(config_at(moment))}
    set_by_somebody = {name: row for name, row in rows.items() if not row.is_default or len(row.synonyms) > 1}
    # Kafka shows this key, once others were changed while it ran, with its default for value.
    del expected["log.retention.hours"], set_by_somebody["log.retention.hours"]
    # A limit for one listener alone, which kstream does not keep.
    del expected["listener.name.plaintext.max.connections"]
    # kstream's own defaults stand where Kafka has none, or another.
    for name, synonym in (
        ("listeners", "listeners=PLAINTEXT://:9092@DEFAULT"),
        ("node.id", ""),
        ("process.roles", ""),
    ):
        line_end = as_line(rows[name]).rpartition(" ")[2].removesuffix("]")
        line = expected[name].removesuffix("]")
        expected[name] = (line.replace(synonym, line_end) if synonym else f"{line} {line_end}") + "]"
    assert {name: as_line(row) for name, row in set_by_somebody.items()} == expected
    unknown, own = (1 if moment == "static" else 2), 3
    assert len(rows) == 350 + own + unknown


def test_group_and_client_metrics() -> None:
    config = config_at("dynamic")
    groups = describe_group(config, {"consumer.session.timeout.ms": "50000"})
    kafkas = {row.name: as_line(row) for row in groups if not row.name.startswith("kstream.")}
    assert kafkas == recorded()[("dynamic", "GROUP")]
    metrics = describe_client_metrics({"interval.ms": "5000"})
    assert {row.name: as_line(row) for row in metrics} == recorded()[("dynamic", "CLIENT_METRICS")]


def test_only_what_was_asked_for() -> None:
    config = config_at("dynamic")
    assert [row.name for row in describe_topic(config, TOPIC, ["retention.ms", "nope"])] == ["retention.ms"]
    queue = "kstream.queue.order"
    assert [row.value for row in describe_topic(config, TOPIC, [queue])] == ["none"]
    assert [row.name for row in describe_topic(config, {queue: "key"}) if "queue." in row.name][-1] == queue
    assert [row.name for row in describe_broker(config, ["node.id"])] == ["node.id"]
    assert [row.name for row in describe_broker(config, ["bogus.key"])] == ["bogus.key"]
    assert [row.name for row in describe_broker_default(config, ["log.retention.ms"])] == ["log.retention.ms"]


def test_a_secret_is_never_shown() -> None:
    (row,) = describe_broker(config_at("static"), ["ssl.keystore.password"])
    assert "secret" not in repr(row)
    assert row.documentation


def test_internal_keys_are_described_once_they_are_set() -> None:
    name = "log.initial.task.delay.ms"
    assert name not in {row.name for row in describe_broker(BrokerConfig({}))}
    (row,) = [row for row in describe_broker(BrokerConfig({name: "5"})) if row.name == name]
    assert (row.value, row.source) == ("5", ConfigSource.STATIC_BROKER)
