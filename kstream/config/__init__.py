"""Configuration: Kafka's keys and kstream's own, where values come from, and what is in force.

`BrokerConfig` is what the rest of the server reads; `load.load` makes one from a file, the environment and
the command line; `topics` and `describe` answer for topics and DescribeConfigs; `catalogue` has every key as
data.
"""

from __future__ import annotations

from kstream.config.broker import BrokerConfig
from kstream.config.errors import ConfigError
from kstream.config.key import ConfigSource, ConfigType
from kstream.config.listeners import Listener
from kstream.config.topics import topic_values, validate_topic_configs

__all__ = [
    "BrokerConfig",
    "ConfigError",
    "ConfigSource",
    "ConfigType",
    "Listener",
    "topic_values",
    "validate_topic_configs",
]
