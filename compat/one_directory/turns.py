"""Servers that take turns with one directory, each stopped cleanly or killed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from compat.kafka_server import KafkaServer
from compat.kafka_tools import complaints
from compat.kstream_server import KstreamServer
from compat.one_directory.asking import Asking
from compat.one_directory.state import State, state_of
from compat.one_directory.writing import COMPACTED, SHORT, Writing
from compat.server_process import ServerProcess

SETTINGS = {
    "node.id": "1",
    "num.partitions": "1",
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.num.partitions": "3",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "log.initial.task.delay.ms": "200",
    "log.retention.check.interval.ms": "300",
    "log.cleaner.backoff.ms": "200",
    # A server that is killed forgets deleted records that were not written down.
    "log.flush.start.offset.checkpoint.interval.ms": "100",
    "log.index.interval.bytes": "512",
    # A snapshot of the metadata every few changes, of which the newest stays, and segments that go early.
    "internal.metadata.log.segment.bytes": "10000",
    "metadata.log.max.record.bytes.between.snapshots": "2000",
    "metadata.max.retention.bytes": "1",
}
_AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}
SETTLED_ATTEMPTS_MAX = 60


class Turn(NamedTuple):
    """Who has the directory, and how it ends."""

    server: str
    """`kafka` or `kstream`."""
    is_killed: bool


class Different(AssertionError):
    """A server tells other things of the directory than the one before it."""


def _alternately(first: str, second: str, kills: str) -> tuple[Turn, ...]:
    """Turns of two servers; `kills` has a k for each turn that ends in a kill."""
    return tuple(Turn((first, second)[number % 2], kill == "k") for number, kill in enumerate(kills))


ORDERS = {
    "kafka first": _alternately("kafka", "kstream", "--kk-kk--"),
    "kstream first": _alternately("kstream", "kafka", "k-kk-"),
}
"""There and back several times: each opens what the other made and left, in order and when killed."""


def take_turns(folder: Path, turns: Sequence[Turn], *, tell: Callable[[str], None] = print) -> None:
    """Run the turns in `folder`, which must be empty.

    Raises Different, AssertionError for what a server refuses, ServerFailed, KafkaUnavailable.
    """
    writing = Writing()
    before = State()
    for number, turn in enumerate(turns):
        server = _server(turn, folder)
        with server:
            asking = Asking(server)
            state = state_of(asking)
            found = before.differences(state) if number else []
            if found:
                raise Different(f"turn {number}, {turn}:\n" + "\n".join(found) + "\n" + server.log_tail())
            if not number:
                writing.create(asking)
            writing.write(asking, server.bootstrap, number, state.untold)
            settled = _settled(asking)
            before = before.followed_by(settled) if number else settled
            asking.close()
            if turn.is_killed:
                server.kill()
            else:
                server.stop()
        end = "is killed" if turn.is_killed else "stops"
        tell(f"turn {number}: {turn.server} finds {len(state.things)} things as they were, writes, {end}")
        if turn.server == "kstream" and not turn.is_killed:
            remarks = complaints(folder / "data")
            if remarks:
                raise Different(f"turn {number}, {turn}: DumpLogSegments:\n" + "\n".join(remarks[:20]))


def _server(turn: Turn, folder: Path) -> ServerProcess:
    if turn.server == "kafka":
        return KafkaServer(SETTINGS | _AUTHORIZER, folder=folder, heap="512M")
    return KstreamServer(SETTINGS, folder=folder)


def _settled(asking: Asking) -> State:
    """What a server tells once retention and compaction have nothing left to do."""
    before = state_of(asking)
    for _ in range(SETTLED_ATTEMPTS_MAX):
        time.sleep(1.0)
        state = state_of(asking)
        if state == before and _is_cleaned(state):
            return state
        before = state
    raise TimeoutError("retention and compaction do not end")


def _is_cleaned(state: State) -> bool:
    batches = state.things[f"{COMPACTED}-0 batches"]
    return sum(map(len, state.things[f"{SHORT}-0 batches"])) < 4_000_000 and len(batches) < 60
