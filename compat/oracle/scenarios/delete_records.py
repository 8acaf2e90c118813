"""DeleteRecords."""

from __future__ import annotations

from compat.oracle.batches import batch
from compat.oracle.requests import NO_TOPIC, fetch, offsets, part, store
from compat.oracle.run import Run, scenario
from kstream.wire.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopic,
)

VERSIONS = range(3)
HIGH_WATERMARK = -1


def _delete(*wanted: tuple[str, int, int], timeout_ms: int = 10_000) -> DeleteRecordsRequest:
    """Each part: topic, partition, offset. Parts of one topic that follow one another share its entry."""
    topics: list[DeleteRecordsTopic] = []
    for name, index, offset in wanted:
        if not topics or topics[-1].name != name:
            topics.append(DeleteRecordsTopic(name=name, partitions=[]))
        topics[-1].partitions.append(DeleteRecordsPartition(partition_index=index, offset=offset))
    return DeleteRecordsRequest(topics=topics, timeout_ms=timeout_ms)


def _in_order(response: DeleteRecordsResponse) -> None:
    """Kafka answers in the order of a hash map."""
    response.topics.sort(key=lambda topic: topic.name)
    for topic in response.topics:
        topic.partitions.sort(key=lambda partition: partition.partition_index)


@scenario
def delete_records(run: Run) -> None:
    """Up to an offset and up to the high watermark; what is left can be read, what is gone cannot."""
    for version in VERSIONS:
        topic = run.topic(f"v{version}", partitions=2)
        store(run, topic, batch(b"a", b"b", b"c"), batch(b"d", b"e"))

        def delete(note: str, offset: int, index: int = 0) -> None:
            request = _delete((topic.name, index, offset))  # noqa: B023
            run.call(note, request, version, trim=_in_order)  # noqa: B023

        delete("up to 0", 0)
        delete("up to 1, inside a batch", 1)
        run.call(f"earliest after v{version}", offsets((topic.name, 0, -2)), 7)
        run.call(f"fetch of what is gone, v{version}", fetch((topic, [part(0, 0)])), 12)
        run.call(f"fetch of what is left, v{version}", fetch((topic, [part(0, 1)])), 12)
        delete("up to 1 again", 1)
        delete("up to 0, which is gone", 0)
        delete("behind the end", 6)
        delete("far behind the end", 2**63 - 1)
        delete("negative", -2)
        delete("up to 4", 4)
        delete("up to the high watermark", HIGH_WATERMARK)
        delete("up to the high watermark again", HIGH_WATERMARK)
        delete("empty partition, high watermark", HIGH_WATERMARK, 1)
        delete("empty partition, 0", 0, 1)
        delete("empty partition, 1", 1, 1)
        run.call(f"earliest at the end, v{version}", offsets((topic.name, 0, -2)), 7)
        run.call(f"latest at the end, v{version}", offsets((topic.name, 0, -1)), 7)
        store(run, topic, batch(b"f"))
        run.call(f"fetch of what came later, v{version}", fetch((topic, [part(0, 5)])), 12)


@scenario
def delete_records_unknown(run: Run) -> None:
    """Topics and partitions that do not exist, that may not be touched, and ones that are named twice."""
    topic = run.topic("a", partitions=2).name
    compacted = run.topic("b", configs={"cleanup.policy": "compact"})
    both = run.topic("c", configs={"cleanup.policy": "compact,delete"})
    for each in (compacted, both):
        store(run, each, batch(b"v", b"w"))
    for version in VERSIONS:

        def delete(note: str, *wanted: tuple[str, int, int], timeout_ms: int = 10_000) -> None:
            run.call(note, _delete(*wanted, timeout_ms=timeout_ms), version, trim=_in_order)  # noqa: B023

        delete("no topics")
        run.call("no partitions", DeleteRecordsRequest(topics=[DeleteRecordsTopic(name=topic)]), version)
        delete("unknown topic", (NO_TOPIC.name, 0, 0))
        delete("empty name", ("", 0, 0))
        delete("invalid name", ("a b", 0, 0))
        for index in (2, -1, 2**31 - 1):
            delete(f"partition {index}", (topic, index, 0))
        delete("known and unknown", (NO_TOPIC.name, 0, 0), (topic, 0, 0), (topic, 7, 0), (topic, 1, 1))
        delete("partition twice", (topic, 0, 0), (topic, 0, 9))
        delete("topic twice", (topic, 0, 0), (NO_TOPIC.name, 0, 0), (topic, 1, 0))
        delete("compacted", (compacted.name, 0, 1))
        delete("compacted and deleted", (both.name, 0, 1))
        delete("metadata log", ("__cluster_metadata", 0, 0))
        for timeout_ms in (0, -1):
            delete(f"timeout {timeout_ms}", (topic, 0, 0), timeout_ms=timeout_ms)
