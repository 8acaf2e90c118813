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
    if name not in _WITHOUT_COUNTERPART and not name.startswith("kstream.")
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


def consumer_group_config(broker: BrokerConfig, overrides: Mapping[str, str]) -> tuple[int, int, int]:
    """Session timeout, heartbeat interval and assignment interval of a group of KIP-848, in milliseconds: its
    own as far as the broker's bounds allow, or else the broker's.
    """
    return _bounded(broker, "consumer", overrides)


def share_group_config(broker: BrokerConfig, overrides: Mapping[str, str]) -> tuple[int, int, int]:
    """The same of a share group."""
    return _bounded(broker, "share", overrides)


_BOUNDED = ("session.timeout.ms", "heartbeat.interval.ms", "assignment.interval.ms")


def _bounded(broker: BrokerConfig, kind: str, overrides: Mapping[str, str]) -> tuple[int, int, int]:
    session_ms, heartbeat_ms, assignment_ms = (_in_force(broker, kind, name, overrides) for name in _BOUNDED)
    return session_ms, heartbeat_ms, assignment_ms


def _in_force(broker: BrokerConfig, kind: str, name: str, overrides: Mapping[str, str]) -> int:
    own = overrides.get(f"{kind}.{name}")
    if own is None:
        return _int(broker, f"group.{kind}.{name}")
    least, most = _int(broker, f"group.{kind}.min.{name}"), _int(broker, f"group.{kind}.max.{name}")
    return min(max(int(own), least), most)


def _int(broker: BrokerConfig, name: str) -> int:
    value = broker.value(name)
    assert isinstance(value, int)
    return value


def check_group_bounds(broker: BrokerConfig) -> None:
    """Check the broker's values for groups against each other. Raises ConfigError."""
    for kind in ("consumer", "share"):
        _check_bounds(broker, kind)
    for assignor in broker.group_consumer_assignors:
        if assignor not in _ASSIGNORS:
            raise ConfigError(f"group.consumer.assignors: {assignor} is none of {', '.join(_ASSIGNORS)}")
    if broker.value("group.share.assignors") != [_SHARE_ASSIGNOR]:
        raise ConfigError(f"group.share.assignors must be {_SHARE_ASSIGNOR}: there is no other")


_ASSIGNORS = ("uniform", "range")
"""Those of `kstream.groups.assignors`; Kafka would load a class of another name."""
_SHARE_ASSIGNOR = "simple"


def _check_bounds(broker: BrokerConfig, kind: str) -> None:
    for name in _BOUNDED:
        least, value, most = (
            (key, _int(broker, key))
            for key in (f"group.{kind}.min.{name}", f"group.{kind}.{name}", f"group.{kind}.max.{name}")
        )
        for (low_key, low), (high_key, high) in ((least, most), (least, value), (value, most)):
            if low > high:
                raise ConfigError(f"{high_key} must be greater than or equal to {low_key}")
    session, heartbeat = f"group.{kind}.session.timeout.ms", f"group.{kind}.heartbeat.interval.ms"
    if _int(broker, heartbeat) >= _int(broker, session):
        raise ConfigError(f"{heartbeat} must be less than {session}")


def group_default(broker: BrokerConfig, name: str) -> str | None:
    """Value of a group key that the group does not set, as text."""
    counterpart = GROUP_SYNONYMS.get(name)
    text = broker.get(counterpart) if counterpart else group_keys()[name].default
    if name == "streams.assignor.name" and text:
        return text.split(",")[0].strip()  # the broker lists several, the first is the default
    return text
