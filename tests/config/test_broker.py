"""What is in force: layers, typed attributes, changes while the broker runs."""

from __future__ import annotations

import pytest

from kstream.config import BrokerConfig, ConfigError, ConfigSource
from kstream.config.catalogue import broker_keys
from kstream.config.dynamic import validate_broker_configs


def test_every_attribute_has_a_value() -> None:
    config = BrokerConfig()
    for attribute in BrokerConfig.__annotations__:
        assert hasattr(config, attribute)


def test_defaults() -> None:
    config = BrokerConfig()
    assert config.node_id == 1
    assert config.log_dirs == ("./kstream-data",)
    assert config.message_max_bytes == 1048588
    assert config.log_retention_ms == 7 * 24 * 3600 * 1000
    assert config.log_roll_ms == 7 * 24 * 3600 * 1000
    assert config.log_flush_interval_ms == 2**63 - 1
    assert config.auto_create_topics_enable is True
    assert config.log_cleanup_policy == ["delete"]
    assert config.broker_rack is None
    assert config.cluster_id is None
    assert config.validate_records == "auto"
    assert config.get("no.such.key") is None


@pytest.mark.parametrize(
    ("values", "retention_ms"),
    [
        ({"log.retention.hours": "2"}, 7_200_000),
        ({"log.retention.hours": "2", "log.retention.minutes": "3"}, 180_000),
        ({"log.retention.hours": "2", "log.retention.minutes": "3", "log.retention.ms": "4"}, 4),
        ({"log.retention.ms": "-1"}, -1),
        ({"log.retention.hours": "-1"}, -1),
    ],
)
def test_the_finer_unit_wins(values: dict[str, str], retention_ms: int) -> None:
    assert BrokerConfig(values).log_retention_ms == retention_ms


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"log.retention.ms": "0"}, "log.retention.ms must be -1"),
        ({"log.roll.ms": "0"}, "log.roll.ms must be at least 1"),
        ({"log.roll.jitter.ms": "-1"}, "log.roll.jitter.ms must be at least 0"),
        ({"log.dirs": "/a,/b"}, "kstream has one data folder; name one, not 2"),
        ({"num.partitions": "0"}, "Value must be at least 1"),
        ({"max.connections.per.ip.overrides": "x"}, "x is not HOST:COUNT"),
    ],
)
def test_faults(values: dict[str, str], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        BrokerConfig(values)


@pytest.mark.parametrize("values", [{"node.id": "7"}, {"broker.id": "7"}, {"node.id": "7", "broker.id": "8"}])
def test_node_id_has_two_names(values: dict[str, str]) -> None:
    config = BrokerConfig(values)
    assert config.node_id == 7
    assert config.get("broker.id") == "7"


def test_limits_of_single_addresses() -> None:
    config = BrokerConfig({"max.connections.per.ip.overrides": "10.0.0.1:5, [::1]:6,"})
    assert config.max_connections_per_ip_overrides == {"10.0.0.1": 5, "::1": 6}


def test_layers() -> None:
    config = BrokerConfig({"message.max.bytes": "1000"})
    seen: list[int] = []
    config.on_change(lambda changed: seen.append(changed.message_max_bytes))
    assert config.source("message.max.bytes") is ConfigSource.STATIC_BROKER
    config.set_dynamic(broker={}, default={"message.max.bytes": "2000"})
    assert config.source("message.max.bytes") is ConfigSource.DYNAMIC_DEFAULT_BROKER
    config.set_dynamic(broker={"message.max.bytes": "3000"}, default={"message.max.bytes": "2000"})
    assert config.source("message.max.bytes") is ConfigSource.DYNAMIC_BROKER
    config.set_dynamic(broker={}, default={})
    assert seen == [2000, 3000, 1000]
    assert config.source("num.partitions") is ConfigSource.DEFAULT


@pytest.mark.parametrize(
    ("configs", "is_default", "fault"),
    [
        ({"num.partitions": "4"}, False, r"Cannot update these configs dynamically: \[num.partitions\]"),
        (
            {"log.retention.hours": "1", "node.id": "2"},
            True,
            r"dynamically: \[log.retention.hours, node.id\]",
        ),
        ({"listeners": "PLAINTEXT://:1"}, True, r"broker id must be specified: \[listeners\]"),
        ({"ssl.keystore.location": "/x"}, False, r"using the listener prefix: \[ssl.keystore.location\]"),
        ({"listeners": "PLAINTEXT://:1"}, False, r"only at a restart: \[listeners\]"),
        ({"sasl.enabled.mechanisms": "PLAIN"}, False, "cannot honour sasl.enabled.mechanisms"),
        ({"log.segment.bytes": "3"}, False, "Value must be at least 1048576"),
        ({"log.segment.bytes": "x"}, True, "Not a number of type INT"),
        ({"log.roll.ms": "0"}, False, "log.roll.ms must be at least 1"),
        ({"max.connections.per.ip.overrides": "x"}, False, "is not HOST:COUNT"),
        ({"log.cleaner.threads": "0"}, False, "at least 1"),
        ({"log.cleaner.threads": "3"}, False, "increased to more than double the current value 1"),
        (
            {"log.cleaner.threads": "2", "log.cleaner.dedupe.buffer.size": "2097152"},
            True,
            "must be at least 1MB per cleaner thread",
        ),
    ],
)
def test_dynamic_faults(configs: dict[str, str], is_default: bool, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        validate_broker_configs(BrokerConfig(), configs, is_default=is_default)


def test_cleaner_threads_change_by_a_factor_of_two() -> None:
    config = BrokerConfig({"log.cleaner.threads": "4"})
    for count in ("2", "8"):
        validate_broker_configs(config, {"log.cleaner.threads": count}, is_default=False)
    with pytest.raises(ConfigError, match="reduced to less than half the current value 4"):
        validate_broker_configs(config, {"log.cleaner.threads": "1"}, is_default=False)


@pytest.mark.parametrize("is_default", [True, False])
def test_dynamic_values(is_default: bool) -> None:
    config = BrokerConfig()
    configs = {"log.retention.ms": "5000", "bogus.key": "4"}  # Kafka takes keys nobody knows
    validate_broker_configs(config, configs, is_default=is_default)
    assert config.log_retention_ms == 604_800_000  # checking changes nothing


def test_attributes_name_keys_of_the_catalogue() -> None:
    names = {attribute.replace("_", ".") for attribute in BrokerConfig.__annotations__}
    known = broker_keys().keys() | {name.removeprefix("kstream.") for name in broker_keys()}
    assert names <= known
