"""Queues beyond Kafka's: what waits must cost nothing but a little memory."""

from __future__ import annotations

import time

from benchmarks.goals import KSTREAM, AtMost, Times
from benchmarks.members import until
from benchmarks.part import Measure, Part, Server, Turn, Values
from benchmarks.process_stats import rss_anon_mb
from benchmarks.share_members import ShareGroup, ShareMember, batch_of, produce_again
from kstream.testing.client import WireClient

_SCHEDULED = 1_000_000
_FEW, _MANY = 10_000, 10_000_000
_BATCH = 100
_QUEUE = {"kstream.queue.enable": "true", "kstream.queue.tracked.records.max": "2000000"}
_FAR_MS = 365 * 24 * 3600 * 1000


def scheduled(turn: Turn) -> Values:
    """Produce one record, fetch and accept it: alone, and behind a million that are not due for a year."""
    count = _SCHEDULED if turn.scale.name != "quick" else turn.scale.keyed_records
    operations = max(100, turn.scale.latencies // 4)
    with (
        turn.topic() as topic,
        ShareGroup(turn.server.address, 1, topic, _QUEUE) as group,
        WireClient(*turn.server.address, timeout_s=60.0) as producer,
    ):
        (member,) = group.members
        _pass(member, producer, topic, operations)
        before_us = _pass(member, producer, topic, operations)
        before_mb = rss_anon_mb(turn.server.pid)
        batch = batch_of(_BATCH, b"later", [("kstream-delay-ms", str(_FAR_MS).encode())])
        produce_again(producer, topic, batch, count // _BATCH)
        # The queue is looked through by the fetch that finds what stands behind.
        _pass(member, producer, topic, 1)
        grown_mb = rss_anon_mb(turn.server.pid) - before_mb
        after_us = _pass(member, producer, topic, operations)
    return {
        "scheduled-memory": grown_mb,
        "scheduled-operation-alone": before_us,
        "scheduled-operation": after_us,
    }


def _pass(member: ShareMember, producer: WireClient, topic: str, count: int) -> float:
    """Produce, fetch and accept records one after the other; µs for each."""
    batch = batch_of(1, b"now")
    began_s = time.perf_counter()
    for _ in range(count):
        produce_again(producer, topic, batch, 1)
        until(lambda: member.fetch(1) == 1)
    elapsed_s = time.perf_counter() - began_s
    member.fetch(1, wait_ms=0)
    return elapsed_s / count * 1e6


def waiting(turn: Turn) -> Values:
    """Accept one record and fetch the next, with few waiting and with many."""
    many = {"full": _MANY, "docs": _MANY // 10}.get(turn.scale.name, turn.scale.keyed_records)
    operations = min(_FEW // 2, max(100, turn.scale.latencies))
    values = {}
    for name, count in (("few", min(_FEW, many // 2)), ("many", many)):
        with turn.topic() as topic, WireClient(*turn.server.address, timeout_s=60.0) as producer:
            produce_again(producer, topic, batch_of(_BATCH, b"waiting"), count // _BATCH)
            for kind, configs in (("share", {}), ("queue", {"kstream.queue.enable": "true"})):
                with ShareGroup(turn.server.address, 1, topic, configs) as group:
                    values[f"{kind}-operation-{name}"] = _take(group.members[0], operations)
    return values


def _take(member: ShareMember, count: int) -> float:
    """µs for each record; what is done once, as looking ahead, is not counted."""
    until(lambda: member.fetch(1) == 1)
    began_s = time.perf_counter()
    for _ in range(count):
        until(lambda: member.fetch(1) == 1)
    return (time.perf_counter() - began_s) / count * 1e6


_NOT_FOR = dict.fromkeys(("kafka", "kfake", "tansu"), "it has no such queues")
PARTS = [
    Part(
        name="scheduled-messages",
        doc="A queue with a million messages that are due in a year: memory for them, and a record produced, "
        "fetched and accepted without them and behind them",
        measures=(
            Measure("scheduled-memory", "MB", False, goals=(AtMost(100.0),)),
            Measure("scheduled-operation-alone", "µs", False),
            Measure(
                "scheduled-operation",
                "µs",
                False,
                goals=(Times(0.8, KSTREAM, of="scheduled-operation-alone"),),
            ),
        ),
        run=scheduled,
        server=Server.FRESH,
        not_for=_NOT_FOR,
        rounds=2,
        quick=True,
    ),
    Part(
        name="waiting-messages",
        doc="Accept one message and fetch the next, of 10 thousand that wait and of 10 million (a million at "
        "docs scale): in a share group, and in a queue beyond Kafka's",
        measures=tuple(
            measure
            for kind in ("share", "queue")
            for measure in (
                Measure(f"{kind}-operation-few", "µs", False),
                Measure(
                    f"{kind}-operation-many",
                    "µs",
                    False,
                    goals=(Times(0.8, KSTREAM, of=f"{kind}-operation-few"),),
                ),
            )
        ),
        run=waiting,
        server=Server.FRESH,
        not_for=_NOT_FOR,
        rounds=2,
        quick=True,
    ),
]
