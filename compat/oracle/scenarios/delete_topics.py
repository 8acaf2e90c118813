"""DeleteTopics."""

from __future__ import annotations

from compat.oracle.batches import batch
from compat.oracle.requests import UNKNOWN_ID, offsets, produce
from compat.oracle.run import Run, scenario
from kstream.wire.fields import ZERO_UUID
from kstream.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState


def _names(*names: str, timeout_ms: int = 10_000) -> DeleteTopicsRequest:
    return DeleteTopicsRequest(topic_names=list(names), timeout_ms=timeout_ms)


def _states(*states: tuple[str | None, bytes], timeout_ms: int = 10_000) -> DeleteTopicsRequest:
    topics = [DeleteTopicState(name=name, topic_id=topic_id) for name, topic_id in states]
    return DeleteTopicsRequest(topics=topics, timeout_ms=timeout_ms)


@scenario
def delete_topics_by_name(run: Run) -> None:
    """By name, in the versions that have nothing else: known, gone, unknown, twice."""
    for version in range(1, 6):
        topic = run.topic(f"v{version}", partitions=2)
        other = run.topic(f"v{version}-other")
        run.call("none", _names(), version)
        run.call("one", _names(topic.name), version)
        run.until(
            offsets((topic.name, 0, -1)), 1, lambda answer: answer.topics[0].partitions[0].error_code == 3
        )
        run.call("gone", _names(topic.name), version)
        run.call("unknown", _names("no-such-topic"), version)
        run.call("empty name", _names(""), version)
        run.call("invalid name", _names("a b"), version)
        run.call("unknown and known, twice", _names("no-such-topic", other.name, other.name), version)
        run.call("the other", _names(other.name, timeout_ms=0), version)
        last = run.topic(f"v{version}-last")
        run.call("timeout negative", _names(last.name, timeout_ms=-1), version)
        run.call("an internal topic that is not there", _names("__consumer_offsets_of_nobody"), version)
        run.call("the metadata", _names("__cluster_metadata"), version)


@scenario
def delete_topics_by_id(run: Run) -> None:
    """Version 6 deletes by name or by id (KIP-516)."""
    by_name, by_id, third = (run.topic(suffix) for suffix in "abc")
    run.call("none", _states(), 6)
    run.call("neither", _states((None, ZERO_UUID)), 6)
    run.call("both", _states((by_name.name, by_name.id)), 6)
    run.call("name and id of different topics", _states((by_name.name, by_id.id)), 6)
    run.call("unknown name", _states(("no-such-topic", ZERO_UUID)), 6)
    run.call("unknown id", _states((None, UNKNOWN_ID)), 6)
    run.call("unknown both", _states(("no-such-topic", UNKNOWN_ID)), 6)
    run.call("empty name", _states(("", ZERO_UUID)), 6)
    run.call("name twice", _states((by_name.name, ZERO_UUID), (by_name.name, ZERO_UUID)), 6)
    run.call("id twice", _states((None, by_id.id), (None, by_id.id)), 6)
    run.call("name, and the id of it", _states((by_name.name, ZERO_UUID), (None, by_name.id)), 6)
    run.call("by name", _states((by_name.name, ZERO_UUID)), 6)
    run.call("by id", _states((None, by_id.id)), 6)
    run.until(offsets((by_id.name, 0, -1)), 1, lambda answer: answer.topics[0].partitions[0].error_code == 3)
    run.call("by id, gone", _states((None, by_id.id)), 6)
    run.call("by name, gone", _states((by_name.name, ZERO_UUID)), 6)
    run.call("one of two", _states((None, UNKNOWN_ID), (third.name, ZERO_UUID)), 6)


@scenario
def delete_topics_and_again(run: Run) -> None:
    """A topic deleted and made again has another id, and begins at 0."""
    first = run.topic("a")
    run.call("fill", produce((first, 0, batch(b"1", b"2"))), 9)
    run.call("delete", _names(first.name), 3)
    run.until(offsets((first.name, 0, -1)), 1, lambda answer: answer.topics[0].partitions[0].error_code == 3)
    run.call("produce to nothing", produce((first, 0, batch())), 9)
    second = run.topic("a")
    run.call("ends at", offsets((second.name, 0, -1)), 5)
    run.call("begins again", produce((second, 0, batch(b"3"))), 9)
    run.call("by the old id", produce((first, 0, batch())), 13)
    run.call("by the new id", produce((second, 0, batch())), 13)
