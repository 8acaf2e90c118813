"""Configuration of topics: checks on what a client sets, and the values in force.

A topic's value in force is its own, else the broker's under a synonym (`retention.ms` falls back on
`log.retention.ms`, then `log.retention.minutes`, then `log.retention.hours`), else the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kstream.config.catalogue import topic_keys
from kstream.config.errors import ConfigError
from kstream.config.queues import QUEUE_PREFIX

if TYPE_CHECKING:
    from kstream.config.broker import BrokerConfig

_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000

# Topic key -> the broker's keys it falls back on, in that order, each with its factor to the topic's unit.
TOPIC_SYNONYMS: dict[str, tuple[tuple[str, int], ...]] = {
    "cleanup.policy": (("log.cleanup.policy", 1),),
    "compression.gzip.level": (("compression.gzip.level", 1),),
    "compression.lz4.level": (("compression.lz4.level", 1),),
    "compression.type": (("compression.type", 1),),
    "compression.zstd.level": (("compression.zstd.level", 1),),
    "delete.retention.ms": (("log.cleaner.delete.retention.ms", 1),),
    "file.delete.delay.ms": (("log.segment.delete.delay.ms", 1),),
    "flush.messages": (("log.flush.interval.messages", 1),),
    "flush.ms": (("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)),
    "index.interval.bytes": (("log.index.interval.bytes", 1),),
    "local.retention.bytes": (("log.local.retention.bytes", 1),),
    "local.retention.ms": (("log.local.retention.ms", 1),),
    "max.compaction.lag.ms": (("log.cleaner.max.compaction.lag.ms", 1),),
    "max.decompressed.message.bytes": (("max.decompressed.message.bytes", 1),),
    "max.message.bytes": (("message.max.bytes", 1),),
    "message.timestamp.after.max.ms": (("log.message.timestamp.after.max.ms", 1),),
    "message.timestamp.before.max.ms": (("log.message.timestamp.before.max.ms", 1),),
    "message.timestamp.type": (("log.message.timestamp.type", 1),),
    "min.cleanable.dirty.ratio": (("log.cleaner.min.cleanable.ratio", 1),),
    "min.compaction.lag.ms": (("log.cleaner.min.compaction.lag.ms", 1),),
    "min.insync.replicas": (("min.insync.replicas", 1),),
    "preallocate": (("log.preallocate", 1),),
    "remote.copy.lag.bytes": (("log.remote.copy.lag.bytes", 1),),
    "remote.copy.lag.ms": (("log.remote.copy.lag.ms", 1),),
    "retention.bytes": (("log.retention.bytes", 1),),
    "retention.ms": (
        ("log.retention.ms", 1),
        ("log.retention.minutes", _MINUTE_MS),
        ("log.retention.hours", _HOUR_MS),
    ),
    "segment.bytes": (("log.segment.bytes", 1),),
    "segment.index.bytes": (("log.index.size.max.bytes", 1),),
    "segment.jitter.ms": (("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", _HOUR_MS)),
    "segment.ms": (("log.roll.ms", 1), ("log.roll.hours", _HOUR_MS)),
    "unclean.leader.election.enable": (("unclean.leader.election.enable", 1),),
}


def validate_topic_configs(configs: Mapping[str, str | None]) -> None:
    """Check a topic's whole set of overrides, as CreateTopics and AlterConfigs do.

    Raises ConfigError as Kafka does: an unknown name, a null or invalid value, values that contradict.
    """
    keys = topic_keys()
    for name in configs:
        if name not in keys:
            raise ConfigError(f"Unknown topic config name: {name}")
    for name, text in configs.items():
        if text is None:
            raise ConfigError(f"Null value not supported for topic configs: {name}")
        keys[name].parse(text)
    least, most = configs.get("min.compaction.lag.ms"), configs.get("max.compaction.lag.ms")
    if least is not None and most is not None and int(least) > int(most):
        raise ConfigError(
            f"conflict topic config setting min.compaction.lag.ms ({least}) > max.compaction.lag.ms ({most})"
        )


def topic_default(broker: BrokerConfig, name: str) -> str | None:
    """Value of a topic key that the topic does not set, as text."""
    for broker_name, factor in TOPIC_SYNONYMS.get(name, ()):
        text = broker.get(broker_name)
        if text is not None:
            return text if factor == 1 else str(int(text) * factor)
    return topic_keys()[name].default


def topic_values(broker: BrokerConfig, overrides: Mapping[str, str]) -> dict[str, str]:
    """The value in force, as text, of every topic key that says something of the log, without null ones; for
    `LogConfig.from_values`.
    """
    values: dict[str, str] = {}
    for name, key in topic_keys().items():
        if name.startswith(QUEUE_PREFIX):
            continue
        text = overrides[name] if name in overrides else topic_default(broker, name)
        if text is not None:
            canonical = key.canonical(text)
            if canonical is not None:
                values[name] = canonical
    return values
