"""The chapters of the story, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from compat.chapters.compaction import compacted
from compat.chapters.groups import failover
from compat.chapters.outliving import consuming_recreated, producing_recreated, restarted
from compat.chapters.produce import bulk, produce_and_fetch
from compat.chapters.topics import configs, topics
from compat.chapters.transactions import transactions
from compat.story import CODECS, CONFIGS, GROUPS, IDEMPOTENCE, PARTITIONS, TOPICS, TRANSACTIONS, Chapter


def chapters(restart: Callable[[], None] | None = None) -> Iterator[Chapter]:
    """The whole story. `restart` kills the server and starts it again; without it one is left out."""
    yield Chapter("topics", topics, (TOPICS, PARTITIONS))
    yield Chapter("configs", configs, (TOPICS, CONFIGS))
    for codec in CODECS:
        yield Chapter(codec, produce_and_fetch(codec, idempotent=False), (codec,))
        yield Chapter(f"{codec}-idempotent", produce_and_fetch(codec, idempotent=True), (codec, IDEMPOTENCE))
    yield Chapter("bulk", bulk)
    yield Chapter("transactions", transactions, (TOPICS, TRANSACTIONS))
    yield Chapter("compacted", compacted, (TOPICS,))
    yield Chapter("failover", failover, (TOPICS, GROUPS))
    yield Chapter("producing-recreated", producing_recreated, (TOPICS,))
    yield Chapter("consuming-recreated", consuming_recreated, (TOPICS, GROUPS))
    if restart is not None:
        yield Chapter("restarted", restarted(restart), (TOPICS, GROUPS))
