"""Consumer groups of many members: a rebalance, a reconciliation, heartbeats."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack

from benchmarks.goals import AtMost, Times
from benchmarks.members import PARTITIONS, ClassicGroup, ConsumerGroup, Frames
from benchmarks.part import Measure, Part, Turn, Values
from benchmarks.process_stats import cpu_seconds

_MEMBERS = 200
_IDLE_MEMBERS = 5_000
_CLASSIC_INTERVAL_S = 3.0
_CONSUMER_INTERVAL_S = 5.0
"""Between a member's heartbeats, by default."""
_ASSIGNMENT_INTERVAL_S = 1.0
"""Between two computations of a KIP-848 group's assignment, by default."""
_PAUSE_S = 0.0005


def groups(turn: Turn) -> Values:
    """A rebalance of all members, then their heartbeats; the server's processor time for one of those."""
    with ClassicGroup(turn.server.address, turn.scale.at_most(_MEMBERS)) as group:
        rebalance_s = group.gather()
        beats = max(1, turn.scale.requests // len(group.clients))
        cpu_s = cpu_seconds(turn.server.pid)
        began_s = time.perf_counter()
        for _ in range(beats):
            group.beat()
        elapsed_s = time.perf_counter() - began_s
        cpu_s = cpu_seconds(turn.server.pid) - cpu_s
    count = beats * len(group.clients)
    return {
        "group-rebalance": rebalance_s * 1e3,
        "group-heartbeats": count / elapsed_s,
        "group-heartbeat-cpu": cpu_s / count * 1e6,
    }


def reconciliation(turn: Turn) -> Values:
    """The last member joins a group that is settled; all that is to be told is told in a few heartbeats."""
    members = turn.scale.at_most(_MEMBERS)
    with (
        turn.topic(partitions=PARTITIONS) as topic,
        ConsumerGroup(turn.server.address, members, topic) as group,
    ):
        group.gather(range(members - 1))
        time.sleep(_ASSIGNMENT_INTERVAL_S)
        elapsed_s, rounds = group.join_last()
    return {"consumer-reconciliation": elapsed_s * 1e3, "consumer-reconciliation-rounds": rounds}


def idle(turn: Turn) -> Values:
    """Members that do nothing but send their heartbeats, one after the other at the default intervals."""
    count = turn.scale.at_most(_IDLE_MEMBERS)
    size = min(_MEMBERS, count)
    address = turn.server.address
    values: dict[str, float] = {}
    with ExitStack() as stack:
        frames: Frames = []
        for _ in range(count // size):
            group = stack.enter_context(ClassicGroup(address, size))
            group.gather()
            frames += group.frames()
        values["idle-heartbeats"] = _share_of_a_core(turn, frames, _CLASSIC_INTERVAL_S)
    with ExitStack() as stack:
        topic = stack.enter_context(turn.topic(partitions=PARTITIONS))
        frames = []
        for _ in range(count // size):
            consumers = stack.enter_context(ConsumerGroup(address, size, topic))
            consumers.gather(range(size))
            frames += consumers.frames()
        values["idle-consumer-heartbeats"] = _share_of_a_core(turn, frames, _CONSUMER_INTERVAL_S)
    return values


def _share_of_a_core(turn: Turn, frames: Frames, interval_s: float) -> float:
    """Send each member's heartbeat once in so many seconds; the server's processor time, in percent.

    The first of each is not counted: a member lives through many.
    """
    per_second = len(frames) / interval_s
    random.Random(1).shuffle(frames)
    for client, frame in frames:
        client.send_raw(frame)
        client.receive_frame()
    cpu_s, began_s, sent = cpu_seconds(turn.server.pid), time.perf_counter(), 0
    while (elapsed_s := time.perf_counter() - began_s) < turn.scale.seconds:
        while sent < elapsed_s * per_second:
            client, frame = frames[sent % len(frames)]
            client.send_raw(frame)
            client.receive_frame()
            sent += 1
        time.sleep(_PAUSE_S)
    return (cpu_seconds(turn.server.pid) - cpu_s) / (sent / per_second) * 100


PARTS = [
    Part(
        name="groups",
        doc=f"A classic group of {_MEMBERS} members on {PARTITIONS} partitions, a connection each",
        measures=(
            Measure("group-rebalance", "ms", False, goals=(AtMost(300.0), Times(1.0, "kafka"))),
            Measure("group-heartbeats", "requests/s", True, goals=(Times(1.0, "kafka"),)),
            Measure("group-heartbeat-cpu", "µs", False, goals=(AtMost(30.0),)),
        ),
        run=groups,
        rounds=3,
    ),
    Part(
        name="group-reconciliation",
        doc=f"The last of {_MEMBERS} members joins a KIP-848 group on {PARTITIONS} partitions, until all "
        "have what is theirs; heartbeats follow each other at once",
        measures=(
            Measure("consumer-reconciliation", "ms", False, goals=(AtMost(1000.0), Times(1.0, "kafka"))),
            Measure("consumer-reconciliation-rounds", "heartbeats", False),
        ),
        run=reconciliation,
        not_for=dict.fromkeys(("kfake", "tansu"), "no groups of KIP-848"),
        rounds=3,
    ),
    Part(
        name="group-idle",
        doc="5,000 members, a connection each, that only send heartbeats: every 3 s, and every 5 s with "
        "KIP-848; share of a core",
        measures=(
            Measure("idle-heartbeats", "%", False, goals=(AtMost(5.0), Times(1.0, "kafka"))),
            Measure("idle-consumer-heartbeats", "%", False, goals=(AtMost(5.0), Times(1.0, "kafka"))),
        ),
        run=idle,
        not_for=dict.fromkeys(("kfake", "tansu"), "no groups of KIP-848"),
        rounds=1,
        warms_up=False,  # 5,000 members that join are a warm-up
    ),
]
