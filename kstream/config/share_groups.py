"""Configuration of share groups as their partitions need it: a group's own values, else the broker's,
within the broker's bounds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from kstream.config.groups import GROUP_SYNONYMS

if TYPE_CHECKING:
    from kstream.config.broker import BrokerConfig

EARLIEST, LATEST = "earliest", "latest"
_BY_DURATION = "by_duration:"


class ShareConfig(NamedTuple):
    """What is in force for one group."""

    delivery_count_limit: int
    record_locks_max: int
    record_lock_duration_ms: int
    auto_offset_reset: str
    """`earliest`, `latest`, or a duration, which `duration_ms` reads."""
    is_read_committed: bool
    can_renew: bool
    dead_letter_topic: str
    """Empty for none."""
    copies_dead_records: bool

    @property
    def reset_duration_ms(self) -> int | None:
        """How far back a new share partition begins; None if it begins at one of the log's ends."""
        if not self.auto_offset_reset.startswith(_BY_DURATION):
            return None
        return duration_ms(self.auto_offset_reset.removeprefix(_BY_DURATION))


def share_config(broker: BrokerConfig, overrides: Mapping[str, str]) -> ShareConfig:
    """The configuration in force of a group with these values of its own."""
    return ShareConfig(
        delivery_count_limit=_bounded(broker, "delivery.count.limit", overrides),
        record_locks_max=_bounded(broker, "partition.max.record.locks", overrides),
        record_lock_duration_ms=_bounded(broker, "record.lock.duration.ms", overrides),
        auto_offset_reset=overrides.get("share.auto.offset.reset", LATEST).lower(),
        is_read_committed=overrides.get("share.isolation.level", "").lower() == "read_committed",
        can_renew=overrides.get("share.renew.acknowledge.enable", "true").lower() == "true",
        dead_letter_topic=overrides.get("errors.deadletterqueue.topic.name", "").strip(),
        copies_dead_records=overrides.get("errors.deadletterqueue.copy.record.enable", "").lower() == "true",
    )


def _bounded(broker: BrokerConfig, name: str, overrides: Mapping[str, str]) -> int:
    own = overrides.get(f"share.{name}")
    if own is None:
        return _int(broker, GROUP_SYNONYMS[f"share.{name}"])
    least, most = _int(broker, f"group.share.min.{name}"), _int(broker, f"group.share.max.{name}")
    return min(max(int(own), least), most)


def _int(broker: BrokerConfig, name: str) -> int:
    value = broker.value(name)
    assert isinstance(value, int)
    return value


_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{1,9}))?S)?)?", re.IGNORECASE)


def duration_ms(text: str) -> int:
    """An ISO 8601 duration of days and less, such as `PT1H30M`, in milliseconds. Raises ValueError."""
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        raise ValueError(f"{text!r} is no ISO 8601 duration")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[:4])
    fraction_ms = int((found[5] or "").ljust(3, "0")[:3])
    return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000 + fraction_ms
