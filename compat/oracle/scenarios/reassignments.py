"""ElectLeaders, AlterPartitionReassignments and ListPartitionReassignments on one node."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from compat.oracle.run import Run, scenario
from kstream.wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignableTopic,
)
from kstream.wire.messages.elect_leaders import ElectLeadersRequest, ElectLeadersResponse, TopicPartitions
from kstream.wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsTopics,
)
from kstream.wire.messages.metadata import MetadataRequest, MetadataRequestTopic

PREFERRED, UNCLEAN = 0, 1


def _elect(*topics: tuple[str, Sequence[int]], **fields: Any) -> ElectLeadersRequest:
    return ElectLeadersRequest(
        topic_partitions=[TopicPartitions(topic=name, partitions=list(each)) for name, each in topics],
        **fields,
    )


def _own(response: ElectLeadersResponse, names: Collection[str]) -> None:
    response.replica_election_results = [
        each for each in response.replica_election_results if each.topic in names
    ]


def _elected(response: ElectLeadersResponse) -> None:
    response.replica_election_results.sort(key=lambda topic: topic.topic)
    for topic in response.replica_election_results:
        topic.partition_result.sort(key=lambda partition: partition.partition_id)


@scenario
def elect_leaders(run: Run) -> None:
    """The preferred leader leads, so no election is needed; partitions that do not exist."""
    topic = run.topic("a", partitions=2).name
    for version in range(3):
        for kind in (PREFERRED, UNCLEAN, 2, -1) if version else (PREFERRED,):

            def elect(note: str, *topics: tuple[str, Sequence[int]]) -> None:
                request = _elect(*topics, **({"election_type": kind} if version else {}))  # noqa: B023
                run.call(f"type {kind}: {note}", request, version, trim=_elected)  # noqa: B023

            elect("nothing")
            elect("one", (topic, [0]))
            elect("both", (topic, [0, 1]))
            elect("no partitions", (topic, []))
            elect("partition twice", (topic, [0, 0]))
            elect("unknown partition", (topic, [7]))
            elect("negative partition", (topic, [-1]))
            elect("unknown topic", ("no-such-topic", [0]))
            elect("unknown and known", ("no-such-topic", [0]), (topic, [0, 7]))
            elect("empty and invalid names", ("", [0]), ("a b", [0]))
        for kind in (PREFERRED, UNCLEAN, 2) if version else (PREFERRED,):
            request = ElectLeadersRequest(election_type=kind, topic_partitions=None)
            run.call(f"type {kind}: all", request, version, trim=lambda answer: _own(answer, [topic]))
        for timeout_ms in (0, -1):
            run.call(f"timeout {timeout_ms}", _elect((topic, [0]), timeout_ms=timeout_ms), version)


def _assign(
    *topics: tuple[str, Sequence[tuple[int, Sequence[int] | None]]], **fields: Any
) -> AlterPartitionReassignmentsRequest:
    return AlterPartitionReassignmentsRequest(
        topics=[
            ReassignableTopic(
                name=name,
                partitions=[
                    ReassignablePartition(
                        partition_index=index, replicas=None if replicas is None else list(replicas)
                    )
                    for index, replicas in partitions
                ],
            )
            for name, partitions in topics
        ],
        **fields,
    )


def _assigned(response: AlterPartitionReassignmentsResponse) -> None:
    response.responses.sort(key=lambda topic: topic.name)
    for topic in response.responses:
        topic.partitions.sort(key=lambda partition: partition.partition_index)


@scenario
def alter_partition_reassignments(run: Run) -> None:
    """To where it is, to brokers that do not exist, to nobody; cancelling what is not under way."""
    topic = run.topic("a", partitions=2).name
    for version in range(2):

        def assign(
            note: str, *topics: tuple[str, Sequence[tuple[int, Sequence[int] | None]]], **fields: Any
        ) -> None:
            run.call(note, _assign(*topics, **fields), version, trim=_assigned)  # noqa: B023

        assign("nothing")
        assign("no partitions", (topic, []))
        assign("to where it is", (topic, [(0, [1])]))
        assign("both to where they are", (topic, [(0, [1]), (1, [1])]))
        assign("cancel", (topic, [(0, None)]))
        assign("to nobody", (topic, [(0, [])]))
        assign("to an unknown broker", (topic, [(0, [2])]))
        assign("to one more broker", (topic, [(0, [1, 2])]))
        assign("to a broker twice", (topic, [(0, [1, 1])]))
        assign("to a negative broker", (topic, [(0, [-1])]))
        assign("unknown partition", (topic, [(7, [1])]))
        assign("negative partition", (topic, [(-1, [1])]))
        assign("cancel of an unknown partition", (topic, [(7, None)]))
        assign("unknown topic", ("no-such-topic", [(0, [1])]))
        assign("cancel of an unknown topic", ("no-such-topic", [(0, None)]))
        assign("empty and invalid names", ("", [(0, [1])]), ("a b", [(0, [1])]))
        assign("known and unknown", ("no-such-topic", [(0, [1])]), (topic, [(0, [1]), (7, [1])]))
        assign("partition twice", (topic, [(0, [1]), (0, [2])]))
        for timeout_ms in (0, -1):
            assign(f"timeout {timeout_ms}", (topic, [(0, [1])]), timeout_ms=timeout_ms)
        assign("topic twice", (topic, [(0, [1])]), (topic, [(1, None)]))
        if version:
            for replicas in ([1], [1, 2], [2], [], None):
                assign(
                    f"the same number, to {replicas}",
                    (topic, [(0, replicas)]),
                    allow_replication_factor_change=False,
                )
    run.call(
        "metadata in the end",
        MetadataRequest(topics=[MetadataRequestTopic(name=topic)]),
        8,
    )


@scenario
def list_partition_reassignments(run: Run) -> None:
    """None is under way."""
    topic = run.topic("a", partitions=2).name

    def ask(note: str, *topics: tuple[str, Sequence[int]]) -> None:
        wanted = [
            ListPartitionReassignmentsTopics(name=name, partition_indexes=list(each)) for name, each in topics
        ]
        run.call(note, ListPartitionReassignmentsRequest(topics=wanted), 0)

    run.call("all", ListPartitionReassignmentsRequest(topics=None), 0)
    ask("nothing")
    ask("one", (topic, [0]))
    ask("no partitions", (topic, []))
    ask("unknown partition", (topic, [7]))
    ask("unknown topic", ("no-such-topic", [0]))
    ask("empty and invalid names", ("", [0]), ("a b", [0]))
    ask("twice", (topic, [0, 0]), (topic, [0]))
    run.call("timeout 0", ListPartitionReassignmentsRequest(topics=None, timeout_ms=0), 0)
