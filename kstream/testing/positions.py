"""What groups have committed."""

from __future__ import annotations

import trio

from kstream.broker.broker import Broker
from kstream.errors import ApiError, ErrorCode


async def committed(broker: Broker, group_id: str) -> dict[tuple[str, int], int]:
    """By topic and partition; nothing before the first group of all."""
    while True:
        try:
            found = await broker.groups.fetch(group_id, None, require_stable=False)
        except ApiError as error:
            if error.code == ErrorCode.NOT_COORDINATOR:  # no __consumer_offsets yet
                return {}
            if error.code != ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
                raise
            await trio.sleep(0.001)
        else:
            return {
                (topic.name, partition.partition_index): partition.committed_offset
                for topic in found.topics
                for partition in topic.partitions
                if partition.committed_offset >= 0
            }
