"""Changing feature levels (KIP-584, KIP-1022), as the controller of Apache Kafka 4.4.0 decides it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from kstream.broker.metadata.features import METADATA_VERSION, SUPPORTED_FEATURES
from kstream.broker.metadata.image import MetadataImage
from kstream.broker.metadata.store import Change
from kstream.errors import ApiError, ErrorCode
from kstream.records.schemas.metadata import FeatureLevelRecord

QUORUM_VERSION = "kraft.version"


class UpgradeType(IntEnum):
    """What a change of level may be."""

    UPGRADE = 1
    SAFE_DOWNGRADE = 2
    UNSAFE_DOWNGRADE = 3


class FeatureUpdate(NamedTuple):
    """The level that a feature shall have; 0 turns it off."""

    name: str
    level: int
    upgrade_type: int
    """The number from the wire, which may be none of `UpgradeType`."""


def update_features(
    image: MetadataImage, updates: Sequence[FeatureUpdate], *, validate_only: bool = False
) -> Change[None]:
    """Change all of them, or none.

    Raises:
        ApiError: INVALID_UPDATE_VERSION for a level, a feature or a way that is not allowed.
    """
    for update in updates:
        fault = _fault_of(image, update)
        if fault is not None:
            raise ApiError(
                ErrorCode.INVALID_UPDATE_VERSION,
                f"Nothing was updated: feature {update.name} to level {update.level}: {fault}",
            )
    if validate_only:
        return Change(None)
    records = [
        FeatureLevelRecord(name=update.name, feature_level=update.level)
        for update in updates
        if update.level != image.features.get(update.name, 0)
    ]
    return Change(None, records)


def _fault_of(image: MetadataImage, update: FeatureUpdate) -> str | None:
    """Why a feature cannot have this level; None if it can."""
    if update.upgrade_type not in tuple(UpgradeType):
        return f"type of upgrade {update.upgrade_type} is not known"
    if update.level < 0:
        return "levels are not negative"
    lowest, highest = SUPPORTED_FEATURES.get(update.name, (0, -1))
    if highest < 0:
        return "no such feature is known"
    if not lowest <= update.level <= highest:
        return f"levels {lowest} to {highest} are supported"
    present = image.features.get(update.name, 0)
    is_upgrade = update.upgrade_type == UpgradeType.UPGRADE
    if update.level > present and not is_upgrade:
        return f"a downgrade cannot raise it from {present}"
    if update.level < present and is_upgrade:
        return f"an upgrade cannot lower it from {present}"
    if update.name == METADATA_VERSION and update.level < present:
        return f"records that version {present} wrote might not be understood any more"
    if update.name == QUORUM_VERSION and update.level > present:
        return "a quorum of one has no voters that come and go"
    return None
