"""Configuration of groups of KIP-848: the broker's values beside each other, a group's own within bounds."""

from __future__ import annotations

import pytest

from kstream.config.broker import BrokerConfig
from kstream.config.errors import ConfigError
from kstream.config.groups import consumer_group_config


def test_a_group_has_the_brokers_values_unless_it_sets_its_own() -> None:
    config = BrokerConfig({"group.consumer.heartbeat.interval.ms": "6000"})
    assert consumer_group_config(config, {}) == (45_000, 6_000, 1_000)
    own = {"consumer.session.timeout.ms": "50000", "consumer.assignment.interval.ms": "0"}
    assert consumer_group_config(config, own) == (50_000, 6_000, 0)


def test_what_was_set_before_the_bounds_changed_stays_within_them() -> None:
    config = BrokerConfig({"group.consumer.max.session.timeout.ms": "48000"})
    own = {"consumer.session.timeout.ms": "60000", "consumer.heartbeat.interval.ms": "1"}
    assert consumer_group_config(config, own) == (48_000, 5_000, 1_000)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"group.consumer.min.session.timeout.ms": "61000"}, "max.session.timeout.ms"),
        ({"group.consumer.session.timeout.ms": "1000"}, "group.consumer.session.timeout.ms"),
        ({"group.consumer.heartbeat.interval.ms": "20000"}, "max.heartbeat.interval.ms"),
        ({"group.consumer.assignment.interval.ms": "20000"}, "max.assignment.interval.ms"),
        ({"group.consumer.assignors": "uniform,mine"}, "mine is none of uniform, range"),
        (
            {
                "group.consumer.min.session.timeout.ms": "1000",
                "group.consumer.session.timeout.ms": "5000",
            },
            "must be less than group.consumer.session.timeout.ms",
        ),
    ],
)
def test_values_that_do_not_go_together(settings: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        BrokerConfig(settings)
