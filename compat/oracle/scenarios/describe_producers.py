"""DescribeProducers."""

from __future__ import annotations

import time
from collections.abc import Sequence

from compat.oracle.batches import T0, batch
from compat.oracle.requests import store
from compat.oracle.run import Run, scenario
from kstream.wire.messages.describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    TopicRequest,
)
from kstream.wire.messages.init_producer_id import InitProducerIdRequest


def _ask(*topics: tuple[str, Sequence[int]]) -> DescribeProducersRequest:
    return DescribeProducersRequest(
        topics=[TopicRequest(name=name, partition_indexes=list(indexes)) for name, indexes in topics]
    )


def _written(producer_id: int, sequence: int, at_ms: int) -> bytes:
    return batch(b"a", b"b", at_ms=at_ms, producer_id=producer_id, producer_epoch=0, base_sequence=sequence)


def _in_order(response: DescribeProducersResponse) -> None:
    for topic in response.topics:
        for partition in topic.partitions:
            partition.active_producers.sort(key=lambda each: each.producer_id)


@scenario
def describe_producers(run: Run) -> None:
    """Producers that wrote to a partition, with their last sequence; partitions that do not exist."""
    topic = run.topic("a", partitions=2)
    plain = run.topic("b")
    store(run, plain, batch(b"x"))
    ask_for_id = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000)
    given, other = (run.until(ask_for_id, 4, lambda answer: answer.error_code == 0) for _ in range(2))
    for sequence in (0, 2):
        store(run, topic, _written(given.producer_id, sequence, T0))
    run.call("one with old timestamps", _ask((topic.name, [0])), 0)
    for producer_id, sequence in ((given.producer_id, 4), (other.producer_id, 0), (other.producer_id, 2)):
        store(run, topic, _written(producer_id, sequence, int(time.time() * 1000)))
    run.call("two", _ask((topic.name, [0])), 0, trim=_in_order)
    run.call("both", _ask((topic.name, [0, 1])), 0, trim=_in_order)
    run.call("no producers with ids", _ask((plain.name, [0])), 0)
    run.call("nothing", _ask(), 0)
    run.call("no partitions", _ask((topic.name, [])), 0)
    run.call("partition twice", _ask((topic.name, [0, 0])), 0, trim=_in_order)
    run.call("topic twice", _ask((topic.name, [0]), (plain.name, [0]), (topic.name, [1])), 0, trim=_in_order)
    run.call("unknown partition", _ask((topic.name, [7, -1])), 0)
    run.call("unknown topic", _ask(("no-such-topic", [0])), 0)
    run.call("unknown and known", _ask(("no-such-topic", [0]), (topic.name, [0, 9])), 0, trim=_in_order)
    for name in ("", "a b", ".", "a" * 250):
        run.call(f"invalid {name[:20]!r} of {len(name)}", _ask((name, [0, 1])), 0)
    run.call("metadata log", _ask(("__cluster_metadata", [0])), 0)
