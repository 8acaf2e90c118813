"""`kstream.queue.*`: what a topic says holds for every share group that reads it, the group's word wins."""

from __future__ import annotations

from collections.abc import Mapping

QUEUE_PREFIX = "kstream.queue."
_ENABLE = f"{QUEUE_PREFIX}enable"


def queue_settings(of_topic: Mapping[str, str], of_group: Mapping[str, str]) -> dict[str, str] | None:
    """The values in force for a group in a topic, from the configuration of both; None if it is to be no more
    than Kafka's.
    """
    is_on = _says_on(of_group)
    if is_on is None:
        is_on = _says_on(of_topic)
    return {**_own(of_topic), **_own(of_group)} if is_on else None


def is_exclusive(of_topic: Mapping[str, str], of_group: Mapping[str, str]) -> bool:
    """Whether the group has one member at most."""
    settings = queue_settings(of_topic, of_group)
    return settings is not None and settings.get(f"{QUEUE_PREFIX}subscription") == "exclusive"


def _own(configs: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in configs.items() if name.startswith(QUEUE_PREFIX)}


def _says_on(configs: Mapping[str, str]) -> bool | None:
    """What a configuration wants, in so many words or by any other of these keys; None for nothing."""
    said = configs.get(_ENABLE)
    if said is not None:
        return said.strip().lower() == "true"
    return True if _own(configs) else None
