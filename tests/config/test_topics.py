"""Checks on topics' and groups' configuration, and the values in force."""

from __future__ import annotations

import pytest

from kstream.config import BrokerConfig, ConfigError, topic_values, validate_topic_configs
from kstream.config.groups import group_default, validate_group_configs


def test_a_topic_without_overrides_has_the_brokers_values() -> None:
    config = BrokerConfig({"log.retention.minutes": "5", "log.cleanup.policy": "delete, compact"})
    values = topic_values(config, {})
    assert values["retention.ms"] == "300000"
    assert values["cleanup.policy"] == "delete,compact"
    assert values["segment.ms"] == "604800000"
    assert values["flush.ms"] == "9223372036854775807"
    assert values["remote.storage.enable"] == "false"
    assert len(values) == 37


def test_overrides_win() -> None:
    config = BrokerConfig()
    config.set_dynamic(broker={"message.max.bytes": "5000"}, default={})
    assert topic_values(config, {})["max.message.bytes"] == "5000"
    assert topic_values(config, {"max.message.bytes": " 6000 "})["max.message.bytes"] == "6000"


def test_valid_overrides() -> None:
    validate_topic_configs({"retention.ms": "-1", "min.compaction.lag.ms": "1", "max.compaction.lag.ms": "2"})
    assert topic_values(BrokerConfig(), {"internal.segment.bytes": "100"})["internal.segment.bytes"] == "100"
    validate_topic_configs({"kstream.queue.order": "key", "kstream.queue.ttl.ms": "5"})


def test_what_is_said_of_queues_is_nothing_that_logs_go_by() -> None:
    values = topic_values(BrokerConfig(), {"kstream.queue.filter": "key == 'a'"})
    assert not [name for name in values if name.startswith("kstream.")]


@pytest.mark.parametrize(
    ("configs", "fault"),
    [
        ({"nope": "1"}, "^Unknown topic config name: nope$"),
        ({"kstream.queue.order": "random"}, "^Invalid value random for configuration kstream.queue.order"),
        ({"retention.ms": None}, "^Null value not supported for topic configs: retention.ms$"),
        (
            {"retention.ms": "x"},
            "^Invalid value x for configuration retention.ms: Not a number of type LONG$",
        ),
        (
            {"min.compaction.lag.ms": "100", "max.compaction.lag.ms": "50"},
            r"min.compaction.lag.ms \(100\) > max",
        ),
    ],
)
def test_faults(configs: dict[str, str | None], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        validate_topic_configs(configs)


def test_groups() -> None:
    config = BrokerConfig(
        {"group.streams.assignors": "sticky, other", "group.consumer.session.timeout.ms": "46000"}
    )
    assert group_default(config, "streams.assignor.name") == "sticky"
    assert group_default(config, "consumer.session.timeout.ms") == "46000"
    assert group_default(config, "share.isolation.level") == "read_uncommitted"
    validate_group_configs({"consumer.session.timeout.ms": "50000"})
    with pytest.raises(ConfigError, match="Unknown group config name: nope"):
        validate_group_configs({"nope": "1"})
    with pytest.raises(ConfigError, match="Null value"):
        validate_group_configs({"share.isolation.level": None})
    with pytest.raises(ConfigError, match="must be one of"):
        validate_group_configs({"share.isolation.level": "dirty"})
