"""Where partitions end, for whoever wants to know how far behind a group is."""

from __future__ import annotations

from kstream.broker.broker import Broker
from kstream.errors import ApiError


async def end_offset(broker: Broker, topic: str, partition: int) -> int | None:
    """The offset behind the last record that can be read; None where there is no such partition now."""
    try:
        return (await broker.partitions.get(topic, partition)).high_watermark
    except ApiError:
        return None
