"""Who owns what: the one place that is asked which broker coordinates a group.

Leaders of partitions stand in the metadata image; coordinators follow from its live brokers, the same on
each.
"""

from __future__ import annotations

import zlib

from kstream.broker.metadata.image import BrokerImage, MetadataImage


def coordinator_of(image: MetadataImage, key: str) -> BrokerImage | None:
    """The broker that coordinates a group, None while no broker is up."""
    brokers = image.live_brokers()
    if not brokers:
        return None
    return brokers[zlib.crc32(key.encode()) % len(brokers)]
