"""How cost grows with what exists: partitions, idle connections, groups, the size of a topic.

One record at a time goes to a topic while more and more of something else exists beside it; what nobody
touches should cost nothing. Each curve has a new server, which is given more of it from point to point.
"""

from __future__ import annotations

import random
import resource
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from statistics import median

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks.goals import KSTREAM, AtMost, Times
from benchmarks.load import PRODUCE_SETTINGS
from benchmarks.part import Measure, Part, Server, Turn, Values, curve
from benchmarks.process_stats import rss_anon_mb
from benchmarks.scale import KIB
from kstream.testing.client import WireClient
from kstream.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.messages.metadata import MetadataRequest
from kstream.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)

_PARTITIONS = (1, 100, 1_000, 10_000)
_CONNECTIONS = (1, 100, 1_000, 5_000)
_GROUPS = (1, 100, 1_000, 10_000)
_SIZES_MB = (1, 10, 100, 1_000)
_SMALL_BATCHES = {**PRODUCE_SETTINGS, "batch.size": "16384"}  # so that finding a batch is what takes time
_AT_ONCE = 500
_TIMEOUT_S = 120.0
_PAUSE_S = 0.2
_PROBES = 300
_METADATA_TIMES = 5


def _grown(points: Sequence[int], turn: Turn) -> Iterator[tuple[int, int]]:
    """Each point with how many of it there are to be; in a quick run few, whatever the point says."""
    for point in points:
        yield point, turn.scale.at_most(point)


def _probe(turn: Turn, topic: str) -> float:
    """p50 of one record at a time, in µs."""
    return turn.load.latency(turn.bootstrap, topic, records=turn.scale.latencies // 4, size=100).p50_us


def partitions(turn: Turn) -> Values:
    """Latency, Metadata of everything, and memory, by the number of partitions."""
    values: dict[str, float] = {}
    admin = AdminClient({"bootstrap.servers": turn.bootstrap, "log_level": 4})
    exists = 0
    with turn.topic() as topic:
        _probe(turn, topic)  # the JVM's warm-up
        idle_mb = rss_anon_mb(turn.server.pid)
        for point, wanted in _grown(_PARTITIONS, turn):
            while exists < wanted:
                count = min(_AT_ONCE, wanted - exists)
                name = f"crowd-{exists}"
                admin.create_topics([NewTopic(name, count, 1)])[name].result(_TIMEOUT_S)
                exists += count
            values[f"latency-by-partitions@{point}"] = _probe(turn, topic)
            with WireClient(*turn.server.address, timeout_s=_TIMEOUT_S) as client:
                _wait_for_partitions(client, wanted)
                values[f"metadata-by-partitions@{point}"] = _median_ms(
                    partial(_ask_for_all, client), times=_METADATA_TIMES
                )
        values["memory-per-partition"] = (rss_anon_mb(turn.server.pid) - idle_mb) * 1000 / exists
    return values


def connections(turn: Turn) -> Values:
    """Latency beside connections that have said who they are and are silent, and what each of them takes."""
    _allow_open_files(max(_CONNECTIONS) + 1_000)
    values: dict[str, float] = {}
    with turn.topic() as topic, ExitStack() as stack:
        _probe(turn, topic)
        idle_mb = rss_anon_mb(turn.server.pid)
        open_ones: list[socket.socket] = []
        for point, wanted in _grown(_CONNECTIONS, turn):
            while len(open_ones) < wanted:
                client = stack.enter_context(WireClient(*turn.server.address, timeout_s=_TIMEOUT_S))
                client.request(MetadataRequest(topics=[]), 12)
                open_ones.append(client.socket)
            values[f"latency-by-connections@{point}"] = _probe(turn, topic)
        values["memory-per-connection"] = (rss_anon_mb(turn.server.pid) - idle_mb) * 1000 / len(open_ones)
    return values


def groups(turn: Turn) -> Values:
    """A commit of one group, by the number of groups that have committed."""
    values: dict[str, float] = {}
    with turn.topic() as topic, WireClient(*turn.server.address, timeout_s=_TIMEOUT_S) as client:
        exists = 0
        _wait_for_coordinator(client, topic)
        for point, wanted in _grown(_GROUPS, turn):
            while exists < wanted:
                count = min(_AT_ONCE, wanted - exists)
                for number in range(exists, exists + count):
                    client.send(_commit(f"crowd-{number}", topic), 8)
                for _ in range(count):
                    client.receive()
                exists += count
            values[f"commit-by-groups@{point}"] = 1000 * _median_ms(
                partial(client.request, _commit("probe", topic), 8), times=_PROBES
            )
    return values


def topic_size(turn: Turn) -> Values:
    """A fetch of the batch at a random offset, by the size of the topic."""
    values: dict[str, float] = {}
    chosen = random.Random(1)
    with turn.topic() as topic, WireClient(*turn.server.address, timeout_s=_TIMEOUT_S) as client:
        records = 0
        for point in _SIZES_MB:
            size_mb = point if turn.scale.name != "quick" else min(point, 2)
            wanted = size_mb * 1_000_000 // KIB
            if wanted > records:
                turn.load.produce(
                    turn.bootstrap, topic, records=wanted - records, size=KIB, settings=_SMALL_BATCHES
                )
                records = wanted

            def fetch(end: int = records) -> None:
                partition = FetchPartition(
                    partition=0, fetch_offset=chosen.randrange(end), partition_max_bytes=1
                )
                client.request(
                    FetchRequest(
                        max_wait_ms=500,
                        min_bytes=1,
                        max_bytes=1,
                        topics=[FetchTopic(topic=topic, partitions=[partition])],
                    ),
                    11,
                )

            values[f"fetch-by-topic-size@{point}"] = 1000 * _median_ms(fetch, times=_PROBES)
    return values


def _wait_for_partitions(client: WireClient, count: int) -> None:
    """Until Metadata names so many: a broker may learn of topics long after their creation was answered."""
    ends_s = time.monotonic() + _TIMEOUT_S
    while True:
        answer = client.request(MetadataRequest(topics=None), 12)
        named = sum(len(topic.partitions) for topic in answer.topics)
        if named >= count:
            return
        if time.monotonic() > ends_s:
            raise RuntimeError(f"{named} of {count} partitions are known after {_TIMEOUT_S:g} s")
        time.sleep(_PAUSE_S)


def _ask_for_all(client: WireClient) -> None:
    """Metadata of everything, until its last byte is there: making sense of it is the client's work."""
    client.send_raw(client.frame(MetadataRequest(topics=None), 12, 0))
    client.receive_frame()


def _median_ms(work: Callable[[], object], *, times: int) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return median(taken)


def _commit(group_id: str, topic: str) -> OffsetCommitRequest:
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=1)
    return OffsetCommitRequest(
        group_id=group_id, topics=[OffsetCommitRequestTopic(name=topic, partitions=[partition])]
    )


def _wait_for_coordinator(client: WireClient, topic: str) -> None:
    """Return once commits are taken."""
    end_s = time.monotonic() + _TIMEOUT_S
    while True:
        client.request(FindCoordinatorRequest(coordinator_keys=["probe"]), 4)
        answer = client.request(_commit("probe", topic), 8)
        if answer.topics[0].partitions[0].error_code == 0:
            return
        if time.monotonic() > end_s:
            raise TimeoutError("no commit is taken")
        time.sleep(0.05)


def _allow_open_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def _flat(measures: tuple[Measure, ...], factor: float) -> tuple[Measure, ...]:
    """A curve whose later points owe a share of what the first has."""
    first = measures[0].name
    return (measures[0], *(replace(each, goals=(Times(factor, KSTREAM, of=first),)) for each in measures[1:]))


def _part(name: str, doc: str, run: Callable[[Turn], Values], *measures: Measure) -> Part:
    return Part(f"growth-{name}", doc, measures, run, server=Server.FRESH, rounds=1, quick=True)


PARTS = [
    _part(
        "partitions",
        "One record at a time, Metadata of all, and memory, by the number of partitions that exist",
        partitions,
        *_flat(curve("latency-by-partitions", "µs", _PARTITIONS, higher_is_better=False), 0.8),
        *curve("metadata-by-partitions", "ms", _PARTITIONS, higher_is_better=False),
        Measure("memory-per-partition", "KB", False, goals=(AtMost(10.0),)),
    ),
    _part(
        "connections",
        "One record at a time beside idle connections, by their number, and the memory that each takes",
        connections,
        *_flat(curve("latency-by-connections", "µs", _CONNECTIONS, higher_is_better=False), 0.8),
        Measure("memory-per-connection", "KB", False, goals=(AtMost(20.0),)),
    ),
    _part(
        "groups",
        "A commit of one group at a time, by the number of groups that exist",
        groups,
        *_flat(curve("commit-by-groups", "µs", _GROUPS, higher_is_better=False), 0.8),
    ),
    _part(
        "topic",
        "A fetch of the batch at a random offset, by the size of the topic in MB",
        topic_size,
        *_flat(curve("fetch-by-topic-size", "µs", _SIZES_MB, higher_is_better=False), 0.8),
    ),
]
