"""DescribeLogDirs and AlterReplicaLogDirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from compat.oracle.batches import batch
from compat.oracle.requests import store
from compat.oracle.run import Run, scenario
from kstream.wire.messages.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopic,
)
from kstream.wire.messages.describe_log_dirs import (
    DescribableLogDirTopic,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
)


def _ask(*topics: tuple[str, Sequence[int]]) -> DescribeLogDirsRequest:
    return DescribeLogDirsRequest(
        topics=[DescribableLogDirTopic(topic=name, partitions=list(indexes)) for name, indexes in topics]
    )


def _comparable(own: Sequence[str]) -> Callable[[DescribeLogDirsResponse], None]:
    """Keeps our own topics, and whether the disk's sizes make sense."""

    def trim(response: DescribeLogDirsResponse) -> None:
        for result in response.results:
            result.log_dir = "/data" if result.log_dir.startswith("/") else result.log_dir
            result.topics = sorted((each for each in result.topics if each.name in own), key=str)
            for topic in result.topics:
                topic.partitions.sort(key=lambda partition: partition.partition_index)
            if result.total_bytes > 0 and result.usable_bytes > 0:
                result.total_bytes, result.usable_bytes = 2, 1

    return trim


@scenario
def describe_log_dirs(run: Run) -> None:
    """Sizes of partitions and of their disk; topics and partitions that do not exist are passed over."""
    filled = run.topic("a", partitions=2)
    empty = run.topic("b")
    store(run, filled, batch(b"a", b"b"), batch(b"c"))
    trim = _comparable([filled.name, empty.name])
    for version in range(1, 6):

        def ask(note: str, *topics: tuple[str, Sequence[int]]) -> None:
            run.call(note, _ask(*topics), version, trim=trim)  # noqa: B023

        run.call("all", DescribeLogDirsRequest(topics=None), version, trim=trim)
        ask("no topics")
        ask("one", (filled.name, [0]))
        ask("all of a topic", (filled.name, [0, 1]))
        ask("several topics", (filled.name, [0, 1]), (empty.name, [0]))
        ask("topic without partitions", (filled.name, []))
        ask("partition twice", (filled.name, [0, 0]))
        ask("unknown partition", (filled.name, [7, -1]))
        ask("known and unknown partition", (filled.name, [0, 7]))
        ask("unknown topic", ("no-such-topic", [0]))
        ask("unknown and known topic", ("no-such-topic", [0]), (filled.name, [1]))
        ask("empty and invalid names", ("", [0]), ("a b", [0]))


def _move(*dirs: tuple[str, Sequence[tuple[str, Sequence[int]]]]) -> AlterReplicaLogDirsRequest:
    return AlterReplicaLogDirsRequest(
        dirs=[
            AlterReplicaLogDir(
                path=path,
                topics=[AlterReplicaLogDirTopic(name=name, partitions=list(each)) for name, each in topics],
            )
            for path, topics in dirs
        ]
    )


def _in_order(response: AlterReplicaLogDirsResponse) -> None:
    response.results.sort(key=lambda topic: topic.topic_name)
    for topic in response.results:
        topic.partitions.sort(key=lambda partition: partition.partition_index)


@scenario
def alter_replica_log_dirs(run: Run) -> None:
    """To the directory where it is, to none of the server's, and to nonsense."""
    topic = run.topic("a", partitions=2).name
    here = run.ask(DescribeLogDirsRequest(topics=None), 4).results[0].log_dir
    run.flattener.replace(here, "<log-dir>")
    for version in (1, 2):

        def move(note: str, *dirs: tuple[str, Sequence[tuple[str, Sequence[int]]]]) -> None:
            run.call(note, _move(*dirs), version, trim=_in_order)  # noqa: B023

        move("nothing")
        move("no topics", (here, []))
        move("to where it is", (here, [(topic, [0, 1])]))
        for path in ("/no/such/dir", "relative", "", here + "/", "/"):
            move(f"to {'<log-dir>/' if path.startswith(here) else path!r}", (path, [(topic, [0])]))
        move("unknown partition", (here, [(topic, [7])]))
        move("unknown topic", (here, [("no-such-topic", [0])]))
        move("unknown topic, elsewhere", ("/no/such/dir", [("no-such-topic", [0])]))
        move("empty and invalid names", (here, [("", [0]), ("a b", [0])]))
        move("known and unknown", (here, [(topic, [0, 7]), ("no-such-topic", [0])]))
        move("to two places", (here, [(topic, [0])]), ("/no/such/dir", [(topic, [0])]))
        move("to two places, the other way", ("/no/such/dir", [(topic, [0])]), (here, [(topic, [0])]))
        move("partition twice", (here, [(topic, [0, 0])]))
