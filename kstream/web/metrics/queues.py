"""Share groups as queues: depth, age, what is out, what has become of records."""

from __future__ import annotations

from kstream.broker.broker import Broker
from kstream.broker.queue_stats import queue_stats
from kstream.errors import ApiError
from kstream.web.metrics.families import Families

PARTITIONS_MAX = 2_000
"""Of all groups together."""


async def add_queues(families: Families, broker: Broker) -> int:
    """Returns how many groups were left out."""
    try:
        groups = sorted(each.group_id for each in await broker.groups.overview() if each.kind == "share")
    except ApiError:  # still loading
        return 0
    shown = left_out = 0
    for group in groups:
        try:
            stats = await queue_stats(broker, group)
        except ApiError:
            continue
        shown += len(stats)
        if shown > PARTITIONS_MAX:
            left_out += 1
            continue
        for each in stats:
            labels = {"group": group, "topic": each.topic, "partition": str(each.partition)}
            families.gauge("kstream_queue_depth", "Records that are not done with.", each.depth, **labels)
            families.gauge("kstream_queue_in_flight", "Records that are out.", each.in_flight, **labels)
            families.gauge(
                "kstream_queue_scheduled", "Records that wait for their time.", each.scheduled, **labels
            )
            families.gauge(
                "kstream_queue_oldest_age_seconds",
                "How old the first record is that is not done with.",
                (each.oldest_age_ms or 0) / 1000,
                **labels,
            )
            for name, text, value in (
                ("delivered", "Records that were delivered, each as often as that.", each.delivered),
                ("redelivered", "Records that were delivered again.", each.redelivered),
                ("accepted", "Records that were accepted.", each.accepted),
                ("given_up", "Records that were given up without a dead letter.", each.given_up),
                ("dead_lettered", "Records that became dead letters.", each.dead_lettered),
            ):
                families.counter(f"kstream_queue_{name}_total", text, value, **labels)
    return left_out
