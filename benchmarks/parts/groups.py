"""Consumer groups: the first record of a fresh one, heartbeats, a rebalance of many members."""

from __future__ import annotations

import struct
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any

from confluent_kafka import Consumer

from benchmarks.goals import AtMost, Times
from benchmarks.part import Measure, Part, Turn, Values
from benchmarks.process_stats import cpu_seconds
from kstream.errors import ErrorCode
from kstream.testing.client import WireClient
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.messages.heartbeat import HeartbeatRequest
from kstream.wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from kstream.wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment

_MEMBERS = 200
_PARTITIONS = 1_000
_FRESH_GROUPS = 5
_TIMEOUT_S = 60.0
_SUBSCRIPTION = struct.pack(">hih6sii", 1, 1, 6, b"orders", -1, 0)


class Group:
    """A classic group of bare members, each with a connection of its own. `members` are their ids."""

    def __init__(self, address: tuple[str, int], count: int) -> None:
        self._stack = ExitStack()
        self._group_id = f"bench-{uuid.uuid4().hex[:8]}"
        self.clients = [
            self._stack.enter_context(WireClient(*address, timeout_s=_TIMEOUT_S)) for _ in range(count)
        ]
        self.members = [""] * count
        self.generation = -1

    def close(self) -> None:
        """Hang up; the members' sessions end by themselves."""
        self._stack.close()

    def gather(self) -> float:
        """Let all join and sync; how long it took from the last join until the last has its partitions, in
        seconds.
        """
        wanted = FindCoordinatorRequest(coordinator_keys=[self._group_id])
        self._until(lambda: self.clients[0].request(wanted, 4).coordinators[0].error_code == 0)
        self._until(lambda: self._heartbeat_error(0) == ErrorCode.UNKNOWN_MEMBER_ID)
        for index, client in enumerate(self.clients):
            self.members[index] = client.request(self._join(index), 7).member_id
        # The first alone, so that it leads; then all the others at once make it join again.
        first = self.clients[0].request(self._join(0), 7)
        self._sync([0], first)
        for index in range(1, len(self.clients)):
            self.clients[index].send(self._join(index), 7)
        self._until(lambda: self._heartbeat_error(0, first.generation_id) == ErrorCode.REBALANCE_IN_PROGRESS)
        began_s = time.perf_counter()
        self.clients[0].send(self._join(0), 7)
        joined = [client.receive() for client in self.clients]
        self._sync(range(len(self.clients)), joined[0])
        self.generation = joined[0].generation_id
        return time.perf_counter() - began_s

    def beat(self) -> None:
        """One heartbeat of each member."""
        for index, client in enumerate(self.clients):
            client.send(self._beat(index, self.generation), 4)
        for client in self.clients:
            _check(client.receive())

    def _sync(self, indexes: Any, joined: JoinGroupResponse) -> None:
        share = _PARTITIONS // len(self.clients)
        assignments = [
            SyncGroupRequestAssignment(member_id=member_id, assignment=_assignment(number * share, share))
            for number, member_id in enumerate(self.members)
        ]
        for index in indexes:
            is_leader = self.members[index] == joined.leader
            request = SyncGroupRequest(
                group_id=self._group_id,
                generation_id=joined.generation_id,
                member_id=self.members[index],
                protocol_type="consumer",
                protocol_name="range",
                assignments=assignments if is_leader else [],
            )
            self.clients[index].send(request, 5)
        for index in indexes:
            _check(self.clients[index].receive())

    def _join(self, index: int) -> JoinGroupRequest:
        return JoinGroupRequest(
            group_id=self._group_id,
            member_id=self.members[index],
            session_timeout_ms=45_000,
            rebalance_timeout_ms=60_000,
            protocol_type="consumer",
            protocols=[JoinGroupRequestProtocol(name="range", metadata=_SUBSCRIPTION)],
        )

    def _beat(self, index: int, generation: int) -> HeartbeatRequest:
        return HeartbeatRequest(
            group_id=self._group_id, generation_id=generation, member_id=self.members[index] or "nobody"
        )

    def _heartbeat_error(self, index: int, generation: int = 0) -> int:
        return int(self.clients[index].request(self._beat(index, generation), 4).error_code)

    def _until(self, condition: Any) -> None:
        end_s = time.monotonic() + _TIMEOUT_S
        while not condition():
            if time.monotonic() > end_s:
                raise TimeoutError("the group does not come to what is waited for")


def _assignment(first: int, count: int) -> bytes:
    partitions = struct.pack(f">{count}i", *range(first, first + count))
    return struct.pack(">hih6si", 1, 1, 6, b"orders", count) + partitions + struct.pack(">i", -1)


def _check(response: Any) -> None:
    if response.error_code != 0:
        raise RuntimeError(f"error {response.error_code} where none is to be")


@contextmanager
def _group(turn: Turn) -> Iterator[Group]:
    group = Group(turn.server.address, turn.scale.at_most(_MEMBERS))
    try:
        yield group
    finally:
        group.close()


def groups(turn: Turn) -> Values:
    """A rebalance of all members, then their heartbeats; the server's processor time for one of those."""
    with _group(turn) as group:
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


def first_record(turn: Turn) -> Values:
    """From making a librdkafka consumer of a group that never was to the first record in hand."""
    with turn.topic() as topic:
        turn.load.produce(turn.bootstrap, topic, records=10, size=100)
        taken_ms = [_first_record_ms(turn.bootstrap, topic) for _ in range(turn.scale.at_most(_FRESH_GROUPS))]
    return {"group-first-record": median(taken_ms)}


def _first_record_ms(bootstrap: str, topic: str) -> float:
    began_s = time.perf_counter()
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"bench-{uuid.uuid4().hex[:8]}",
            "auto.offset.reset": "earliest",
        }
    )
    try:
        consumer.subscribe([topic])
        while time.perf_counter() - began_s < _TIMEOUT_S:
            message = consumer.poll(1.0)
            if message is not None and message.error() is None:
                return (time.perf_counter() - began_s) * 1e3
    finally:
        consumer.close()
    raise TimeoutError("no record came")


PARTS = [
    Part(
        name="groups",
        doc=f"A classic group of {_MEMBERS} members on {_PARTITIONS} partitions, a connection each",
        measures=(
            Measure("group-rebalance", "ms", False, goals=(AtMost(300.0), Times(1.0, "kafka"))),
            Measure("group-heartbeats", "requests/s", True, goals=(Times(1.0, "kafka"),)),
            Measure("group-heartbeat-cpu", "µs", False, goals=(AtMost(30.0),)),
        ),
        run=groups,
        rounds=3,
    ),
    Part(
        name="group-first-record",
        doc="From a new librdkafka consumer in a fresh group to its first record; initial delay 0 on all",
        measures=(Measure("group-first-record", "ms", False, goals=(AtMost(150.0), Times(1.0, "kafka"))),),
        run=first_record,
        not_for={"tansu": "no record comes within a minute"},
        rounds=3,
        quick=True,
    ),
]
