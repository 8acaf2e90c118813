"""Produce: what goes well, and what is wrong with the request rather than with a batch."""

from __future__ import annotations

from compat.oracle.batches import T0, batch
from compat.oracle.requests import NO_TOPIC, fetch, part, produce
from compat.oracle.run import Run, Topic, scenario
from kstream.records.batch import TimestampType
from kstream.records.compression import Codec
from kstream.wire.messages.produce import ProduceRequest

VERSIONS = range(3, 14)


@scenario
def produce_acks(run: Run) -> None:
    """Every kind of acknowledgement, and numbers that are none."""
    topic = run.topic("a")
    for version in VERSIONS:
        for acks in (-1, 1, 2, -2, 32767):
            run.call(f"acks {acks}", produce((topic, 0, batch()), acks=acks), version)
        run.call_without_answer("acks 0", produce((topic, 0, batch()), acks=0), version)
        run.call("after acks 0", produce((topic, 0, batch())), version)


@scenario
def produce_acks_0_errors(run: Run) -> None:
    """With acks 0 an error closes the connection, since there is no answer to tell it in."""
    topic = run.topic("a")
    for version in VERSIONS:
        bad = batch()[:-1] + b"\xff"
        run.call_without_answer("unknown topic", produce((NO_TOPIC, 0, batch()), acks=0), version)
        run.call_without_answer("unknown partition", produce((topic, 9, batch()), acks=0), version)
        run.call_without_answer("bad CRC", produce((topic, 0, bad), acks=0), version)
        run.call_without_answer("no records", produce((topic, 0, b""), acks=0), version)
        half = produce((topic, 0, batch()), (topic, 9, batch()), acks=0)
        run.call_without_answer("one of two wrong", half, version)
        run.call_without_answer("nothing at all", produce(acks=0), version)
        run.call("what was stored", produce((topic, 0, batch())), version)


@scenario
def produce_unknown(run: Run) -> None:
    """Topics and partitions that do not exist, alone and beside ones that do."""
    topic = run.topic("a", partitions=2)
    nameless = Topic("", bytes(16))
    for version in VERSIONS:
        run.call("nothing", produce(), version)
        run.call("unknown topic", produce((NO_TOPIC, 0, batch())), version)
        run.call("no name and no id", produce((nameless, 0, batch())), version)
        run.call("invalid name", produce((Topic("a b", NO_TOPIC.id), 0, batch())), version)
        for index in (2, -1, 2**31 - 1):
            run.call(f"partition {index}", produce((topic, index, batch())), version)
        mixed = produce((topic, 0, batch()), (topic, 5, batch()), (topic, 1, batch()), (NO_TOPIC, 0, batch()))
        run.call("known and unknown", mixed, version)


@scenario
def produce_duplicates(run: Run) -> None:
    """The same partition, or the same topic, more than once in a request."""
    topic = run.topic("a", partitions=2)
    other = run.topic("b")
    for version in VERSIONS:
        run.call("partition twice", produce((topic, 0, batch(b"1")), (topic, 0, batch(b"2", b"3"))), version)
        split = produce((topic, 0, batch(b"4")), (other, 0, batch(b"5")), (topic, 1, batch(b"6")))
        run.call("topic twice", split, version)
        again = produce((topic, 0, batch(b"7")), (other, 0, batch(b"8")), (topic, 0, batch(b"9")))
        run.call("topic and partition twice", again, version)
        run.call("what is there", fetch((topic, [part(0, 0)])), 4 + version)


@scenario
def produce_codecs(run: Run) -> None:
    """Every codec in every version: zstd needs version 7 (KIP-110)."""
    topic = run.topic("a", partitions=5)
    for version in VERSIONS:
        for codec in Codec:
            records = batch(b"a" * 300, b"b" * 300, codec=codec)
            run.call(codec.name, produce((topic, int(codec), records)), version)
        both = [(topic, int(codec), batch(b"a" * 300, codec=codec)) for codec in (Codec.ZSTD, Codec.NONE)]
        run.call("zstd beside none", produce(*both), version)


@scenario
def produce_log_append_time(run: Run) -> None:
    """Topics that stamp the broker's time: the answer says when, and a fetch shows it."""
    topic = run.topic("a", configs={"message.timestamp.type": "LogAppendTime"})
    for version in VERSIONS:
        run.call("stamped", produce((topic, 0, batch(b"a", b"b"))), version)
        run.call("any time will do", produce((topic, 0, batch(at_ms=2**62))), version)
        run.call("in gzip", produce((topic, 0, batch(b"a", b"b", codec=Codec.GZIP))), version)
        claims = batch(timestamp_type=TimestampType.LOG_APPEND_TIME)
        run.call("the producer claims it", produce((topic, 0, claims)), version)
    run.call("what is there", fetch((topic, [part()])), 12)


@scenario
def produce_timestamps(run: Run) -> None:
    """Record timestamps: none, negative, old, and out of the topic's range."""
    topic = run.topic("a")
    strict = run.topic("b", configs={"message.timestamp.before.max.ms": "1000"})
    loose = run.topic("c", configs={"message.timestamp.after.max.ms": "9223372036854775807"})
    for version in VERSIONS:
        for at_ms in (-1, 0, 1, -2, T0, 2**62):
            for name, where in (("default", topic), ("past is bounded", strict), ("future is not", loose)):
                run.call(f"{name}: {at_ms}", produce((where, 0, batch(at_ms=at_ms))), version)
        mixed = batch(b"a", b"b", b"c", at_ms=T0, step_ms=2**61)
        run.call("the later ones wrong", produce((topic, 0, mixed)), version)
        claims = batch(timestamp_type=TimestampType.LOG_APPEND_TIME)
        run.call("claims LogAppendTime", produce((topic, 0, claims)), version)


@scenario
def produce_compacted(run: Run) -> None:
    """Compacted topics want keys."""
    topic = run.topic("a", configs={"cleanup.policy": "compact"})
    both = run.topic("b", configs={"cleanup.policy": "compact,delete"})
    for version in VERSIONS:
        for name, where in (("compact", topic), ("compact,delete", both)):
            run.call(f"{name}: key", produce((where, 0, batch(key=b"k"))), version)
            run.call(f"{name}: empty key", produce((where, 0, batch(key=b""))), version)
            run.call(f"{name}: no value", produce((where, 0, batch(None, key=b"k"))), version)
            run.call(f"{name}: null key", produce((where, 0, batch(key=None))), version)
            run.call(
                f"{name}: three null keys", produce((where, 0, batch(b"", None, b"c", key=None))), version
            )
            compressed = batch(b"a", b"b", key=None, codec=Codec.LZ4)
            run.call(f"{name}: null keys in lz4", produce((where, 0, compressed)), version)


@scenario
def produce_sizes(run: Run) -> None:
    """Batches against `max.message.bytes` and `segment.bytes`."""
    small = run.topic("a", configs={"max.message.bytes": "200"})
    # A segment is at least 1 MiB, so only a topic that takes more than that can outgrow one.
    large = run.topic("b", configs={"max.message.bytes": "3000000", "segment.bytes": "1048576"})
    for version in VERSIONS:
        for size in (100, 130, 131, 132, 1000):
            run.call(f"value of {size}", produce((small, 0, batch(b"x" * size))), version)
        run.call("compresses below", produce((small, 0, batch(b"x" * 5000, codec=Codec.GZIP))), version)
        pair = produce((small, 0, batch(b"x" * 500)), (large, 0, batch(b"x" * 500)))
        run.call("too large beside another", pair, version)
    for version in (3, 8, 13):
        run.call("larger than a segment", produce((large, 0, batch(b"x" * 1_100_000))), version)


@scenario
def produce_transactional_id(run: Run) -> None:
    """A transactional id on a request whose batches are not transactional, and the other way round."""
    topic = run.topic("a")
    for version in VERSIONS:
        for name in ("", "t"):
            run.call(f"id {name!r}", produce((topic, 0, batch()), transactional_id=name), version)
        run.call("timeout negative", produce((topic, 0, batch()), timeout_ms=-1), version)
        run.call("timeout 0", produce((topic, 0, batch()), timeout_ms=0), version)
        run.call("no topics", ProduceRequest(acks=1), version)
        run.call("no partitions", produce_nothing(topic), version)


def produce_nothing(topic: Topic) -> ProduceRequest:
    """A topic without partitions."""
    request = produce((topic, 0, None))
    request.topic_data[0].partition_data.clear()
    return request
