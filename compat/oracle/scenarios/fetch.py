"""Fetch without sessions."""

from __future__ import annotations

from compat.oracle.batches import T0, batch
from compat.oracle.requests import NO_TOPIC, fetch, part, produce, store
from compat.oracle.run import Run, Topic, scenario
from kstream.records.compression import Codec
from kstream.wire.messages.fetch import FetchRequest

VERSIONS = range(4, 19)


def _filled(run: Run, suffix: str, **how: int) -> Topic:
    """A topic of two partitions: 0 holds batches at offsets 0-2, 3 and 4-5, and 1 is empty."""
    topic = run.topic(suffix, partitions=2)
    store(
        run,
        topic,
        batch(b"a", b"b", b"c"),
        batch(b"d" * 100, at_ms=T0 + 100),
        batch(b"e", b"f", at_ms=T0 + 200),
    )
    return topic


@scenario
def fetch_offsets(run: Run) -> None:
    """From the beginning, from inside a batch, at the end, and out of range, in every version."""
    topic = _filled(run, "a")
    for version in VERSIONS:
        for offset in (0, 1, 3, 5, 6, 7, 1_000_000, -1, -2, -(2**63), 2**63 - 1):
            run.call(f"from {offset}", fetch((topic, [part(0, offset)])), version)
        run.call("an empty partition", fetch((topic, [part(1)])), version)
        run.call("an empty partition from 1", fetch((topic, [part(1, 1)])), version)


@scenario
def fetch_unknown(run: Run) -> None:
    """Topics and partitions that do not exist, alone and beside ones that do."""
    topic = _filled(run, "a")
    nameless = Topic("", bytes(16))
    for version in VERSIONS:
        run.call("no topics", fetch(), version)
        run.call("unknown topic", fetch((NO_TOPIC, [part()])), version)
        run.call("no name and no id", fetch((nameless, [part()])), version)
        run.call("invalid name", fetch((Topic("a b", NO_TOPIC.id), [part()])), version)
        for index in (2, -1, 2**31 - 1):
            run.call(f"partition {index}", fetch((topic, [part(index)])), version)
        run.call("no partitions", fetch((topic, [])), version)
        run.call(
            "unknown and known", fetch((NO_TOPIC, [part()]), (topic, [part(0), part(1), part(2)])), version
        )


@scenario
def fetch_duplicates(run: Run) -> None:
    """The same partition, or the same topic, more than once."""
    topic = _filled(run, "a")
    for version in VERSIONS:
        run.call("partition twice", fetch((topic, [part(0, 0), part(0, 3)])), version)
        run.call("topic twice", fetch((topic, [part(0)]), (topic, [part(1)])), version)
        run.call("topic and partition twice", fetch((topic, [part(0)]), (topic, [part(0, 4)])), version)


@scenario
def fetch_limits(run: Run) -> None:
    """Limits of bytes, zero and negative ones among them: one whole batch comes whatever they say."""
    topic = _filled(run, "a")
    both = [part(0), part(1)]
    for version in VERSIONS:
        for size in (0, 1, 60, 61, 150, 300, -1, -(2**31)):
            run.call(f"max_bytes {size}", fetch((topic, [part()]), max_bytes=size), version)
            run.call(f"partition_max_bytes {size}", fetch((topic, [part(size=size)])), version)
        run.call("both 0", fetch((topic, [part(size=0)]), max_bytes=0), version)
        run.call("two partitions, max_bytes 0", fetch((topic, both), max_bytes=0), version)
        for least in (0, -1, 10_000_000):
            run.call(f"min_bytes {least}", fetch((topic, both), min_bytes=least), version)
            run.call(f"min_bytes {least} at the end", fetch((topic, [part(0, 6)]), min_bytes=least), version)
        run.call("max_wait_ms negative", fetch((topic, [part(0, 6)]), max_wait_ms=-1), version)
        run.call("waits 10 ms in vain", fetch((topic, [part(0, 6)]), max_wait_ms=10), version)


@scenario
def fetch_limits_two_partitions(run: Run) -> None:
    """Who gets what when a limit ends the answer in the middle of the second partition."""
    topic = run.topic("a", partitions=3)
    for index in range(3):
        store(run, topic, batch(b"x" * 100), batch(b"y" * 200), index=index)
    for version in (4, 12, 18):
        for size in (100, 170, 171, 300, 450, 700, 1000):
            wanted = [part(index) for index in range(3)]
            run.call(f"max_bytes {size}", fetch((topic, wanted), max_bytes=size), version)
            wanted = [part(2), part(0), part(1)]
            run.call(f"max_bytes {size}, other order", fetch((topic, wanted), max_bytes=size), version)
            wanted = [part(0, 1, size=10), part(1, 0, size=10), part(2, 0, size=size)]
            run.call(f"partition_max_bytes 10 10 {size}", fetch((topic, wanted)), version)


@scenario
def fetch_isolation(run: Run) -> None:
    """Isolation levels, and ones that are none."""
    topic = _filled(run, "a")
    for version in VERSIONS:
        for level in (0, 1, 2, -1, 127):
            run.call(f"level {level}", fetch((topic, [part(0), part(1)]), isolation_level=level), version)


@scenario
def fetch_leader_epochs(run: Run) -> None:
    """The leader epoch the client knows: the right one, one ahead, one that is none (KIP-320)."""
    topic = _filled(run, "a")
    for version in range(9, 19):
        for epoch in (-1, 0, 1, 100, -2):
            run.call(f"current epoch {epoch}", fetch((topic, [part(epoch=epoch)])), version)
            run.call(
                f"current epoch {epoch}, out of range", fetch((topic, [part(0, 99, epoch=epoch)])), version
            )


@scenario
def fetch_diverging_epochs(run: Run) -> None:
    """The epoch of what was fetched last (KIP-595): equal, ahead, none."""
    topic = _filled(run, "a")
    for version in range(12, 19):
        for last in (-1, 0, 1, 100, -2):
            for offset in (0, 6, 7, 99):
                run.call(
                    f"last epoch {last} from {offset}",
                    fetch((topic, [part(0, offset, last_epoch=last)])),
                    version,
                )
        run.call("both epochs", fetch((topic, [part(0, 3, epoch=0, last_epoch=0)])), version)
        run.call("empty, epoch 0", fetch((topic, [part(1, 0, epoch=0, last_epoch=0)])), version)


@scenario
def fetch_codecs(run: Run) -> None:
    """Batches come back as they were sent, in every codec, to every version."""
    topic = run.topic("a", partitions=5)
    for codec in Codec:
        store(run, topic, batch(b"a" * 200, b"b" * 200, codec=codec), index=int(codec))
    for version in VERSIONS:
        run.call("all", fetch((topic, [part(index) for index in range(5)])), version)


@scenario
def fetch_zstd_topic(run: Run) -> None:
    """Topics whose configured codec is zstd, for versions that do not know it."""
    topic = run.topic("a", configs={"compression.type": "zstd"})
    run.call("fill", produce((topic, 0, batch(b"a" * 200))), 9)
    for version in VERSIONS:
        run.call("zstd topic", fetch((topic, [part()])), version)


@scenario
def fetch_replica_ids(run: Run) -> None:
    """Replica ids that no consumer has."""
    topic = _filled(run, "a")
    for version in range(4, 15):
        for replica in (-2, -3, 0, 1, 77):
            run.call(f"replica {replica}", fetch((topic, [part()]), replica_id=replica), version)


@scenario
def fetch_cluster_id(run: Run) -> None:
    """The cluster id, which is for raft and ignored by brokers; racks, which one broker has no use for."""
    topic = _filled(run, "a")
    for version in range(12, 19):
        for cluster_id in (None, "", "elsewhere"):
            run.call(f"cluster {cluster_id!r}", fetch((topic, [part(0, 6)]), cluster_id=cluster_id), version)
        run.call("rack", fetch((topic, [part(0, 6)]), rack_id="r1"), version)
        run.call("log start offset", fetch((topic, [part(0, 6, start=3)])), version)


@scenario
def fetch_many_partitions(run: Run) -> None:
    """Several topics in one request, in the order of the request."""
    topics = [run.topic(suffix, partitions=2) for suffix in "bca"]
    for topic in topics:
        store(run, topic, batch(b"v"), index=1)
    for version in (4, 7, 11, 12, 13, 17, 18):
        wanted = [(topic, [part(1), part(0)]) for topic in topics]
        run.call("in order", fetch(*wanted), version)
        run.call("in reverse", fetch(*reversed(wanted)), version)


@scenario
def fetch_without_ids(run: Run) -> None:
    """The id that stands for none, alone and beside others."""
    topic = _filled(run, "a")
    nameless = Topic("", bytes(16))
    for version in range(13, 19):
        for note, wanted in {
            "partition 0": [(nameless, [part(0)])],
            "partition 1": [(nameless, [part(1)])],
            "partitions 0 and 1": [(nameless, [part(0), part(1)])],
            "partition -1": [(nameless, [part(-1)])],
            "beside a known one": [(nameless, [part(0)]), (topic, [part(0)])],
            "behind a known one": [(topic, [part(0)]), (nameless, [part(0)])],
            "beside an unknown one": [(nameless, [part(0)]), (NO_TOPIC, [part(0)])],
            "twice": [(nameless, [part(0)]), (nameless, [part(1)])],
        }.items():
            run.call(note, fetch(*wanted), version)
        for note, wanted in {
            "partition 0": [(nameless, [part(0)])],
            "behind a known one": [(topic, [part(0)]), (nameless, [part(0)])],
        }.items():
            run.call(f"{note}, in a session", fetch(*wanted, session_epoch=0), version)


@scenario
def fetch_isolation_and_others(run: Run) -> None:
    """An isolation level that is none, beside other things that are wrong."""
    topic = _filled(run, "a")
    for version in VERSIONS:
        wrong: dict[str, FetchRequest] = {
            "no topics": fetch(isolation_level=2),
            "no partitions": fetch((topic, []), isolation_level=2),
            "unknown topic": fetch((NO_TOPIC, [part()]), isolation_level=2),
            "unknown and known": fetch((NO_TOPIC, [part()]), (topic, [part(), part(9)]), isolation_level=2),
            "named twice": fetch((topic, [part(), part()]), isolation_level=2),
        }
        if version >= 7:
            wrong["no such session"] = fetch(
                (topic, [part()]), isolation_level=2, session_id=9, session_epoch=1
            )
            wrong["a new session"] = fetch((topic, [part()]), isolation_level=2, session_epoch=0)
        for note, request in wrong.items():
            run.call(note, request, version)
