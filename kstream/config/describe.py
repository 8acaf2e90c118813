"""Answers for DescribeConfigs: each key's value, where it comes from, and its synonyms (KIP-133, KIP-226,
KIP-569).

A row's value is the parsed one, written out; its synonyms hold texts as they were given, strongest first. A
broker key lists itself and, for times that can also be given in coarser units, those; Kafka drops synonyms
that stand before the first entry of the row's own name, and so does this.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from kstream.config.broker import BrokerConfig
from kstream.config.catalogue import broker_keys, client_metrics_keys, group_keys, topic_keys
from kstream.config.groups import GROUP_SYNONYMS, group_default
from kstream.config.key import ConfigSource, Key
from kstream.config.queues import QUEUE_PREFIX
from kstream.config.topics import TOPIC_SYNONYMS, topic_default

_COARSER = {
    "log.retention.ms": ("log.retention.ms", "log.retention.minutes", "log.retention.hours"),
    "log.retention.minutes": ("log.retention.minutes", "log.retention.hours"),
    "log.roll.ms": ("log.roll.ms", "log.roll.hours"),
    "log.roll.jitter.ms": ("log.roll.jitter.ms", "log.roll.jitter.hours"),
    "log.flush.interval.ms": ("log.flush.interval.ms", "log.flush.scheduler.interval.ms"),
}
_UNKNOWN_TYPE = 0


class Synonym(NamedTuple):
    """One place that gives, or would give, a value; `value` is None for a secret."""

    name: str
    value: str | None
    source: ConfigSource


class ConfigEntry(NamedTuple):
    """One row of an answer. `type` is a ConfigType, or 0 for a key nobody knows; `synonyms` always has them
    all.
    """

    name: str
    value: str | None
    source: ConfigSource
    is_read_only: bool
    is_sensitive: bool
    type: int
    synonyms: tuple[Synonym, ...]
    documentation: str | None

    @property
    def is_default(self) -> bool:
        """Whether nobody set the value (`IsDefault` of version 0)."""
        return self.source is ConfigSource.DEFAULT


def describe_topic(
    config: BrokerConfig, overrides: Mapping[str, str], names: Collection[str] | None = None
) -> list[ConfigEntry]:
    """Rows for a topic that sets `overrides`; `names` None or empty means every key of Kafka's, and of queues
    those that are set.
    """
    rows: list[ConfigEntry] = []
    for key in _wanted(topic_keys(), names):
        if not names and key.name.startswith(QUEUE_PREFIX) and key.name not in overrides:
            continue
        synonyms = broker_synonyms(config, [name for name, _ in TOPIC_SYNONYMS.get(key.name, ())])
        rows.append(
            _resource_row(key, overrides, topic_default(config, key.name), synonyms, ConfigSource.TOPIC)
        )
    return rows


def describe_group(
    config: BrokerConfig, overrides: Mapping[str, str], names: Collection[str] | None = None
) -> list[ConfigEntry]:
    """Rows for a group that sets `overrides`."""
    rows: list[ConfigEntry] = []
    for key in _wanted(group_keys(), names):
        synonym = GROUP_SYNONYMS.get(key.name)
        # A group key without a broker's counterpart has itself, with its default, for synonym.
        own = (Synonym(key.name, key.default, ConfigSource.DEFAULT),)
        synonyms = broker_synonyms(config, [synonym]) if synonym else own
        rows.append(
            _resource_row(key, overrides, group_default(config, key.name), synonyms, ConfigSource.GROUP)
        )
    return rows


def describe_client_metrics(
    overrides: Mapping[str, str], names: Collection[str] | None = None
) -> list[ConfigEntry]:
    """Rows for a client metrics subscription that sets `overrides`."""
    source = ConfigSource.CLIENT_METRICS
    return [
        _resource_row(key, overrides, key.default, (), source)
        for key in _wanted(client_metrics_keys(), names)
    ]


def describe_broker(config: BrokerConfig, names: Collection[str] | None = None) -> list[ConfigEntry]:
    """Rows for this broker: every key of the catalogue, and keys nobody knows that somebody set.

    Internal keys are among them once somebody set them.
    """
    keys = broker_keys()
    present = {*config.static, *config.dynamic_default, *config.dynamic_broker}
    wanted = list(_wanted(keys, names))
    if not names:
        wanted += [key for key in keys.values() if key.is_internal and key.name in present]
    rows = [_broker_row(config, key) for key in wanted]
    unknown = present - keys.keys()
    rows += [_unknown_row(config, name) for name in sorted(unknown) if not names or name in names]
    return rows


def describe_broker_default(config: BrokerConfig, names: Collection[str] | None = None) -> list[ConfigEntry]:
    """Rows for the cluster-wide default (a broker resource without a name): what was set there."""
    rows: list[ConfigEntry] = []
    source = ConfigSource.DYNAMIC_DEFAULT_BROKER
    for name, text in sorted(config.dynamic_default.items()):
        if names and name not in names:
            continue
        key = broker_keys().get(name)
        if key is None:
            rows.append(
                ConfigEntry(
                    name, None, source, True, True, _UNKNOWN_TYPE, (Synonym(name, None, source),), None
                )
            )
            continue
        value = None if key.is_sensitive else key.canonical(text)
        synonyms = (Synonym(name, _shown(name, text), source),)
        rows.append(
            ConfigEntry(name, value, source, key.is_read_only, key.is_sensitive, key.type, synonyms, key.note)
        )
    return rows


def broker_synonyms(config: BrokerConfig, names: Collection[str]) -> tuple[Synonym, ...]:
    """All values given under `names`, strongest layer first, beginning at the first entry of the first
    name.
    """
    layers = (
        (config.dynamic_broker, ConfigSource.DYNAMIC_BROKER),
        (config.dynamic_default, ConfigSource.DYNAMIC_DEFAULT_BROKER),
        (config.static, ConfigSource.STATIC_BROKER),
    )
    found = [
        Synonym(name, _shown(name, layer[name]), source)
        for layer, source in layers
        for name in names
        if name in layer
    ]
    for name in names:
        default = config.default(name)
        if default is not None:
            found.append(Synonym(name, _shown(name, default), ConfigSource.DEFAULT))
    first = next(iter(names), None)
    start = next((index for index, synonym in enumerate(found) if synonym.name == first), len(found))
    return tuple(found[start:])


def _broker_row(config: BrokerConfig, key: Key) -> ConfigEntry:
    synonyms = broker_synonyms(config, _COARSER.get(key.name, (key.name,)))
    source = synonyms[0].source if synonyms else ConfigSource.DEFAULT
    value = None if key.is_sensitive else key.canonical(config.get(key.name))
    return ConfigEntry(
        key.name, value, source, key.is_read_only, key.is_sensitive, key.type, synonyms, key.note
    )


def _unknown_row(config: BrokerConfig, name: str) -> ConfigEntry:
    """What an unknown key holds might be a secret, so nobody is shown it."""
    synonyms = tuple(synonym._replace(value=None) for synonym in broker_synonyms(config, (name,)))
    return ConfigEntry(name, None, config.source(name), True, True, _UNKNOWN_TYPE, synonyms, None)


def _resource_row(
    key: Key,
    overrides: Mapping[str, str],
    default: str | None,
    synonyms: tuple[Synonym, ...],
    own: ConfigSource,
) -> ConfigEntry:
    value = key.canonical(overrides.get(key.name, default))
    if key.name in overrides:
        synonyms = (Synonym(key.name, value, own), *synonyms)
    source = synonyms[0].source if synonyms else ConfigSource.DEFAULT
    return ConfigEntry(key.name, value, source, False, key.is_sensitive, key.type, synonyms, key.note)


def _wanted(keys: Mapping[str, Key], names: Collection[str] | None) -> Iterator[Key]:
    for key in keys.values():
        if (key.name in names) if names else not key.is_internal:
            yield key


def _shown(name: str, text: str) -> str | None:
    key = broker_keys().get(name)
    return None if key is None or key.is_sensitive else text
