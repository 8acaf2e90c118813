"""ListOffsets."""

from __future__ import annotations

from compat.oracle.batches import T0, batch
from compat.oracle.requests import NO_TOPIC, offsets, store
from compat.oracle.run import Run, Topic, scenario
from kstream.records.compression import Codec

VERSIONS = range(1, 12)
_SPECIAL = {
    "latest": -1,
    "earliest": -2,
    "max timestamp": -3,
    "earliest local": -4,
    "latest tiered": -5,
    "earliest pending upload": -6,
    "no such special": -7,
    "far below": -(2**63),
}


def _filled(run: Run, suffix: str) -> Topic:
    """Partition 0: times 0, 10, 20 | 100 | 50, 60 | 300..340 in gzip. Partition 1 is empty."""
    topic = run.topic(suffix, partitions=2)
    store(
        run,
        topic,
        batch(b"a", b"b", b"c"),
        batch(b"d", at_ms=T0 + 100),
        batch(b"e", b"f", at_ms=T0 + 50),
        batch(*[b"g"] * 5, at_ms=T0 + 300, codec=Codec.GZIP),
    )
    return topic


@scenario
def list_offsets_special(run: Run) -> None:
    """Every special timestamp in every version; a version that does not know one refuses it."""
    topic = _filled(run, "a")
    for version in VERSIONS:
        for note, timestamp in _SPECIAL.items():
            run.call(note, offsets((topic.name, 0, timestamp)), version)
            run.call(f"{note}, empty partition", offsets((topic.name, 1, timestamp)), version)


@scenario
def list_offsets_times(run: Run) -> None:
    """The first record at or after a time, also inside a compressed batch, and where times go back."""
    topic = _filled(run, "a")
    times = [0, T0 - 1, T0, T0 + 1, T0 + 10, T0 + 20, T0 + 21, T0 + 50, T0 + 99, T0 + 100, T0 + 101]
    times += [T0 + 300, T0 + 301, T0 + 325, T0 + 340, T0 + 341, 2**63 - 1]
    for version in VERSIONS:
        for at_ms in times:
            run.call(f"at {at_ms - T0}", offsets((topic.name, 0, at_ms)), version)
        run.call("empty partition", offsets((topic.name, 1, T0)), version)


@scenario
def list_offsets_unknown(run: Run) -> None:
    """Topics and partitions that do not exist, alone and beside ones that do."""
    topic = _filled(run, "a")
    for version in VERSIONS:
        run.call("no topics", offsets(), version)
        run.call("unknown topic", offsets((NO_TOPIC.name, 0, -1)), version)
        run.call("empty name", offsets(("", 0, -1)), version)
        run.call("invalid name", offsets(("a b", 0, -1)), version)
        for index in (2, -1, 2**31 - 1):
            run.call(f"partition {index}", offsets((topic.name, index, -1)), version)
        mixed = offsets((NO_TOPIC.name, 0, -1), (topic.name, 0, -1), (topic.name, 1, -2), (topic.name, 7, T0))
        run.call("known and unknown", mixed, version)


@scenario
def list_offsets_duplicates(run: Run) -> None:
    """The same partition twice."""
    topic = _filled(run, "a")
    other = run.topic("b")
    for version in VERSIONS:
        run.call("partition twice", offsets((topic.name, 0, -1), (topic.name, 0, -2)), version)
        twice = offsets((topic.name, 0, -1), (other.name, 0, -1), (topic.name, 0, -2))
        run.call("topic and partition twice", twice, version)
        apart = offsets((topic.name, 0, -1), (other.name, 0, -1), (topic.name, 1, -1))
        run.call("topic twice", apart, version)
        unknown = offsets((topic.name, 9, -1), (topic.name, 9, -1), (topic.name, 1, -1))
        run.call("unknown partition twice", unknown, version)


@scenario
def list_offsets_isolation_and_replicas(run: Run) -> None:
    """Isolation levels and replica ids, with ones that are none; timeouts."""
    topic = _filled(run, "a")
    for version in VERSIONS:
        for level in (0, 1, 2, -1) if version >= 2 else ():
            for timestamp in (-1, -2, -3, T0 + 100):
                run.call(
                    f"level {level} at {timestamp}",
                    offsets((topic.name, 0, timestamp), isolation=level),
                    version,
                )
        for replica in (-2, -3, 0, 1, 7):
            run.call(f"replica {replica}", offsets((topic.name, 0, -1), replica_id=replica), version)
        for timeout_ms in (0, -1, 1000) if version >= 10 else ():
            run.call(f"timeout {timeout_ms}", offsets((topic.name, 0, -2), timeout_ms=timeout_ms), version)


@scenario
def list_offsets_leader_epochs(run: Run) -> None:
    """The leader epoch the client knows."""
    topic = _filled(run, "a")
    for version in range(4, 12):
        for epoch in (-1, 0, 1, 100, -2):
            for timestamp in (-1, -2, T0 + 100):
                request = offsets((topic.name, 0, timestamp), epoch=epoch)
                run.call(f"epoch {epoch} at {timestamp}", request, version)
            run.call(f"epoch {epoch}, unknown partition", offsets((topic.name, 9, -1), epoch=epoch), version)
