"""Configuration of groups: what is in force is a group's own value, else the broker's counterpart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kstream.config.catalogue import group_keys
from kstream.config.errors import ConfigError

if TYPE_CHECKING:
    from kstream.config.broker import BrokerConfig

_WITHOUT_COUNTERPART = frozenset(
    {
        "errors.deadletterqueue.copy.record.enable",
        "errors.deadletterqueue.topic.name",
        "share.auto.offset.reset",
        "share.isolation.level",
        "share.renew.acknowledge.enable",
    }
)

# Group key -> the broker's counterpart.
GROUP_SYNONYMS: dict[str, str] = {
    name: "group.streams.assignors" if name == "streams.assignor.name" else f"group.{name}"
    for name in group_keys()
    if name not in _WITHOUT_COUNTERPART
}


def validate_group_configs(configs: Mapping[str, str | None]) -> None:
    """Check a group's overrides. Raises ConfigError for an unknown name or an invalid value."""
    keys = group_keys()
    for name, text in configs.items():
        if name not in keys:
            raise ConfigError(f"Unknown group config name: {name}")
        if text is None:
            raise ConfigError(f"Null value not supported for group configs: {name}")
        keys[name].parse(text)


def group_default(broker: BrokerConfig, name: str) -> str | None:
    """Value of a group key that the group does not set, as text."""
    counterpart = GROUP_SYNONYMS.get(name)
    text = broker.get(counterpart) if counterpart else group_keys()[name].default
    if name == "streams.assignor.name" and text:
        return text.split(",")[0].strip()  # the broker lists several, the first is the default
    return text
