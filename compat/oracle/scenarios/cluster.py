"""DescribeCluster and DescribeTopicPartitions."""

from __future__ import annotations

from typing import Any

from compat.oracle.run import Run, scenario
from kstream.wire.messages.describe_cluster import DescribeClusterRequest
from kstream.wire.messages.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    TopicRequest,
)


@scenario
def describe_cluster(run: Run) -> None:
    """The brokers, with and without authorised operations; controllers are not told to clients of brokers."""
    for version in range(3):
        for asked in (False, True):
            request = DescribeClusterRequest(include_cluster_authorized_operations=asked)
            run.call(f"operations {asked}", request, version)
        for kind in (0, 1, 2, 3, -1, 127) if version >= 1 else ():
            run.call(f"endpoints of type {kind}", DescribeClusterRequest(endpoint_type=kind), version)
        for fenced in (False, True) if version >= 2 else ():
            run.call(f"fenced {fenced}", DescribeClusterRequest(include_fenced_brokers=fenced), version)
            controllers = DescribeClusterRequest(include_fenced_brokers=fenced, endpoint_type=2)
            run.call(f"fenced {fenced}, controllers", controllers, version)


def _ask(*names: str, cursor: tuple[str, int] | None = None, **fields: Any) -> DescribeTopicPartitionsRequest:
    return DescribeTopicPartitionsRequest(
        topics=[TopicRequest(name=name) for name in names],
        cursor=None if cursor is None else Cursor(topic_name=cursor[0], partition_index=cursor[1]),
        **fields,
    )


@scenario
def describe_topic_partitions(run: Run) -> None:
    """Topics partition by partition, in pages (KIP-966)."""
    one = run.topic("a").name
    many = run.topic("b", partitions=5).name
    last = run.topic("c", partitions=2).name
    run.call("one", _ask(one), 0)
    run.call("two", _ask(many, one), 0)
    run.call("twice", _ask(one, one), 0)
    run.call("unknown", _ask("no-such-topic"), 0)
    run.call("unknown and known", _ask("no-such-topic", one), 0)
    for name in ("", ".", "a b", "a" * 250):
        run.call(f"invalid {name[:20]!r} of {len(name)}", _ask(name), 0)
    for limit in (0, -1, 1, 3, 5, 6, 7, 8, 2000, 2001, 2**31 - 1):
        run.call(f"limit {limit}", _ask(one, many, last, response_partition_limit=limit), 0)
    for index in (0, 2, 4, 5, 99, -1):
        cursor = (many, index)
        run.call(f"from {index}", _ask(one, many, last, cursor=cursor), 0)
        run.call(
            f"from {index}, limit 2", _ask(one, many, last, cursor=cursor, response_partition_limit=2), 0
        )
    run.call("cursor at a topic not asked for", _ask(one, last, cursor=(many, 1)), 0)
    run.call("cursor behind all", _ask(one, many, cursor=(last, 0)), 0)
    run.call("cursor at an unknown topic", _ask(one, many, cursor=(run.name("aa"), 0)), 0)
    run.call("cursor without a name", _ask(one, cursor=("", 0)), 0)


@scenario
def describe_topic_partitions_all(run: Run) -> None:
    """No topics asks for all, from the cursor on."""
    many = run.topic("b", partitions=5).name
    for limit in (1, 3):
        request = _ask(cursor=(many, 1), response_partition_limit=limit)
        run.call(f"all, from ours, limit {limit}", request, 0)
