"""One scrape: everything is looked up in the event loop, a little at a time, and written out in a thread."""

from __future__ import annotations

import trio
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from kstream.web.metrics.families import Families
from kstream.web.metrics.groups import add_groups
from kstream.web.metrics.inside import add_inside
from kstream.web.metrics.queues import add_queues
from kstream.web.metrics.requests import add_connections, add_requests
from kstream.web.metrics.topics import add_topics
from kstream.web.operation import Text
from kstream.web.running import Running

_process = ProcessCollector(registry=None)


async def exposition(running: Running, accept: str) -> Text:
    """All metrics, in the format that an Accept header asks for."""
    families = await collect(running)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(families)
    registry.register(_process)
    encode, media_type = choose_encoder(accept)
    return Text(await trio.to_thread.run_sync(encode, registry), media_type)


async def collect(running: Running) -> Families:
    """All that kstream itself counts."""
    families = Families()
    add_requests(families, running.broker.stats)
    add_connections(families, running.broker)
    left_out = {"partitions": await add_topics(families, running.broker)}
    left_out["groups"] = await add_groups(families, running.broker)
    left_out["queues"] = await add_queues(families, running.broker)
    add_inside(families, running)
    for what, count in left_out.items():
        families.gauge(
            "kstream_metrics_left_out", "Series would be too many: so many have none.", count, what=what
        )
    return families
