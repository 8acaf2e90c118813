"""Committed positions: how many a second, and what keeping them costs over a restart."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.goals import AtLeast, AtMost, Times
from benchmarks.members import until
from benchmarks.part import Measure, Part, Server, Turn, Values
from benchmarks.process_stats import rss_anon_mb
from kstream.testing.client import WireClient
from kstream.wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from kstream.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kstream.wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup

_BATCHES = (1, 10, 100)
"""Positions in one commit: of a consumer with so many partitions."""
_GROUPS = 10_000
_POSITIONS = 10  # of each group
_DEPTH = 64  # commits under way while the groups are made
_TIMEOUT_S = 60.0
_COMMIT_VERSION = 9
_FETCH_VERSION = 9
_FETCHED_AT_ONCE = 500


def commits(turn: Turn) -> Values:
    """One commit after the other on one connection, each as large as a consumer of so many partitions."""
    values = {}
    with turn.topic(partitions=max(_BATCHES)) as topic, WireClient(*turn.server.address) as client:
        _find(client, "committing")
        for batch in _BATCHES:
            count = max(1, turn.scale.requests // 10)
            name = f"commits@{batch}"
            values[name] = turn.on_server(name, lambda: _rate(client, topic, batch, count))  # noqa: B023
    return values


def _rate(client: WireClient, topic: str, batch: int, count: int) -> float:
    began_s = time.perf_counter()
    for offset in range(count):
        _check(client.request(_commit("committing", topic, batch, offset), _COMMIT_VERSION))
    return batch * count / (time.perf_counter() - began_s)


def restart(turn: Turn) -> Values:
    """From a restart until the last of many groups tells its positions; what the server then holds."""
    groups = turn.scale.at_most(_GROUPS)
    with WireClient(*turn.server.address, timeout_s=_TIMEOUT_S) as client:
        _create(client, "kept", _POSITIONS)
        _find(client, "group-0")
        _pipelined(client, groups, lambda number: _commit(f"group-{number}", "kept", _POSITIONS, number))
    turn.server.restart()
    began_s = time.perf_counter()
    with WireClient(*turn.server.address, timeout_s=_TIMEOUT_S) as client:
        for first in range(0, groups, _FETCHED_AT_ONCE):
            wanted = range(first, min(groups, first + _FETCHED_AT_ONCE))
            until(lambda: _positions(client, wanted) == len(wanted) * _POSITIONS)  # noqa: B023
    loaded_s = time.perf_counter() - began_s
    return {"group-loading": loaded_s, "group-memory": rss_anon_mb(turn.server.pid)}


def _create(client: WireClient, topic: str, partitions: int) -> None:
    wanted = CreatableTopic(name=topic, num_partitions=partitions, replication_factor=1)
    (created,) = client.request(CreateTopicsRequest(topics=[wanted], timeout_ms=60_000), 7).topics
    if created.error_code != 0:
        raise RuntimeError(f"a topic cannot be created: error {created.error_code}")
    known = MetadataRequest(topics=[MetadataRequestTopic(name=topic)], allow_auto_topic_creation=False)
    until(lambda: client.request(known, 12).topics[0].error_code == 0)


def _positions(client: WireClient, groups: range) -> int:
    """How many positions these groups tell; those that are being loaded tell none."""
    wanted = [OffsetFetchRequestGroup(group_id=f"group-{number}", topics=None) for number in groups]
    answer = client.request(OffsetFetchRequest(groups=wanted), _FETCH_VERSION)
    return sum(len(topic.partitions) for group in answer.groups for topic in group.topics)


def _find(client: WireClient, group_id: str) -> None:
    wanted = FindCoordinatorRequest(coordinator_keys=[group_id])
    until(lambda: client.request(wanted, 4).coordinators[0].error_code == 0)
    until(lambda: not client.request(_fetch(group_id), _FETCH_VERSION).groups[0].error_code)


def _fetch(group_id: str) -> OffsetFetchRequest:
    return OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group_id, topics=None)])


def _commit(group_id: str, topic: str, count: int, offset: int) -> OffsetCommitRequest:
    partitions = [
        OffsetCommitRequestPartition(partition_index=index, committed_offset=offset, committed_metadata="")
        for index in range(count)
    ]
    wanted = OffsetCommitRequestTopic(name=topic, partitions=partitions)
    return OffsetCommitRequest(group_id=group_id, topics=[wanted])


def _pipelined(client: WireClient, count: int, request: Callable[[int], OffsetCommitRequest]) -> None:
    for number in range(count + _DEPTH):
        if number < count:
            client.send(request(number), _COMMIT_VERSION)
        if number >= _DEPTH:
            _check(client.receive())


def _check(answer: object) -> None:
    for topic in answer.topics:  # type: ignore[attr-defined]
        for partition in topic.partitions:
            if partition.error_code != 0:
                raise RuntimeError(f"a commit is answered with error {partition.error_code}")


PARTS = [
    Part(
        name="group-commits",
        doc="Positions committed on one connection, one request after the other, by positions in a request",
        measures=(
            Measure("commits@1", "positions/s", True, goals=(Times(1.0, "kafka"),), curve="commits", at=1),
            Measure("commits@10", "positions/s", True, goals=(Times(1.0, "kafka"),), curve="commits", at=10),
            Measure(
                "commits@100",
                "positions/s",
                True,
                goals=(AtLeast(20_000.0), Times(1.0, "kafka")),
                curve="commits",
                at=100,
            ),
        ),
        run=commits,
        rounds=3,
        quick=True,
    ),
    Part(
        name="group-restart",
        doc=f"{_GROUPS:,} groups with {_POSITIONS} positions each: from being ready after a restart until "
        "the last has told its positions; RssAnon then",
        measures=(
            Measure("group-loading", "s", False, goals=(AtMost(2.0), Times(1.0, "kafka"))),
            Measure("group-memory", "MB", False, goals=(AtMost(100.0), Times(1.0, "kafka"))),
        ),
        run=restart,
        server=Server.FRESH,
        not_for=dict.fromkeys(("kfake", "tansu"), "keeps nothing over a restart"),
        rounds=2,
    ),
]
