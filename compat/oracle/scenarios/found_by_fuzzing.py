"""What random requests found (`compat.oracle.fuzz`): two things wrong at once, and which of them is told."""

from __future__ import annotations

from compat.oracle.batches import batch, flipped, old_message
from compat.oracle.requests import NO_TOPIC, fetch, offsets, part, produce, store
from compat.oracle.run import Run, Topic, scenario
from compat.oracle.scenarios.alter_configs import APPEND, SET, change, replace
from compat.oracle.scenarios.describe_configs import BROKER, CLIENT_METRICS, GROUP, TOPIC
from kstream.records.compression import Codec
from kstream.wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from kstream.wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from kstream.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kstream.wire.messages.list_offsets import ListOffsetsTopic

Change = tuple[int, str, list[tuple[int, str, str | None]]]


@scenario
def produce_acks_and_others(run: Run) -> None:
    """Acks that are none, beside topics, partitions and batches that are none."""
    topic = run.topic("a")
    for version in range(3, 14):
        for note, request in {
            "unknown topic": produce((NO_TOPIC, 0, batch()), acks=2),
            "unknown partition": produce((topic, 9, batch()), acks=2),
            "two batches": produce((topic, 0, batch() + batch()), acks=2),
            "magic 1": produce((topic, 0, old_message(1)), acks=2),
            "bad CRC": produce((topic, 0, flipped(batch(), 17)), acks=2),
            "zstd": produce((topic, 0, batch(b"a" * 99, codec=Codec.ZSTD)), acks=2),
            "known and unknown": produce((topic, 0, batch()), (NO_TOPIC, 0, batch()), acks=2),
            "transactional": produce((topic, 0, batch(is_transactional=True)), acks=2),
        }.items():
            run.call(note, request, version)


@scenario
def timeouts_and_duplicates(run: Run) -> None:
    """A timeout that is over is told once something is left to do (7), else what is named twice (42)."""
    once, twice = run.name("once"), run.name("twice")
    for timeout_ms in (0, -1):
        for note, names in {
            "all twice": [twice, twice],
            "one twice": [twice, once, twice],
            "none twice": [once],
        }.items():
            shown = f"timeout {timeout_ms}, {note}"
            created = [CreatableTopic(name=name, num_partitions=1, replication_factor=1) for name in names]
            for version in range(2, 8):
                run.call(shown, CreateTopicsRequest(topics=created, timeout_ms=timeout_ms), version)
            grown = [CreatePartitionsTopic(name=name, count=3, assignments=None) for name in names]
            for version in range(4):
                run.call(shown, CreatePartitionsRequest(topics=grown, timeout_ms=timeout_ms), version)
            for version in range(1, 6):
                run.call(shown, DeleteTopicsRequest(topic_names=names, timeout_ms=timeout_ms), version)
            states = [DeleteTopicState(name=name) for name in names]
            run.call(shown, DeleteTopicsRequest(topics=states, timeout_ms=timeout_ms), 6)
    both = DeleteTopicState(name=once, topic_id=NO_TOPIC.id)
    run.call("name and id", DeleteTopicsRequest(topics=[both], timeout_ms=0), 6)
    run.call("name and id, twice", DeleteTopicsRequest(topics=[both, both], timeout_ms=1000), 6)
    run.call("neither, twice", DeleteTopicsRequest(topics=[DeleteTopicState()] * 2, timeout_ms=1000), 6)


@scenario
def list_offsets_shapes(run: Run) -> None:
    """Topics of which nothing is asked; an isolation level that is none beside repeated names."""
    topic = run.topic("a", partitions=2).name
    for version in range(2, 12):
        for level in (0, 2):
            request = offsets((topic, 0, -1), isolation=level)
            request.topics.append(ListOffsetsTopic(name="no-such-topic"))
            run.call(f"level {level}, a topic without partitions", request, version)
            request = offsets((topic, 0, -1), (topic, 0, -2), (topic, 1, -1), isolation=level)
            run.call(f"level {level}, a partition twice", request, version)


@scenario
def fetch_committed_and_others(run: Run) -> None:
    """read_committed beside what is out of range, diverges, or is not there."""
    topic = run.topic("a", partitions=2)
    store(run, topic, batch(b"a", b"b"), batch(b"c"))
    unknown = Topic("no-such-topic-either", bytes(15) + b"9")
    for version in range(12, 19):
        for note, asked in {
            "out of range": part(0, 9),
            "diverging": part(0, 9, last_epoch=0),
            "diverging, empty partition": part(1, 3, last_epoch=0),
            "an epoch ahead": part(0, 1, last_epoch=5),
            "fenced": part(0, 0, epoch=-5),
            "unknown partition": part(7),
        }.items():
            run.call(note, fetch((topic, [asked, part(1)]), isolation_level=1), version)
        several = fetch(
            (NO_TOPIC, [part()]), (topic, [part(5), part()]), (unknown, [part()]), isolation_level=1
        )
        run.call("unknown ones around a known one", several, version)


@scenario
def incremental_alter_configs_operations(run: Run) -> None:
    """Operations that are none: a broker is told so, and all that goes to the controller fails together."""
    topic, other = run.topic("a").name, run.topic("b").name
    good: Change = (TOPIC, topic, [(SET, "retention.ms", "1000")])
    cases: dict[str, list[Change]] = {
        "topic": [(TOPIC, topic, [(4, "retention.ms", "1")])],
        "topic beside a good one": [good, (TOPIC, other, [(4, "retention.ms", "1")])],
        "topic beside a broker": [
            (TOPIC, other, [(4, "retention.ms", "1")]),
            (BROKER, "", [(SET, "log.retention.ms", "1000")]),
        ],
        "broker": [(BROKER, "1", [(4, "num.io.threads", "9")])],
        "broker beside a good topic": [good, (BROKER, "1", [(4, "num.io.threads", "9")])],
        "all brokers beside a good topic": [good, (BROKER, "", [(4, "num.io.threads", "9")])],
        "another broker": [(BROKER, "2", [(4, "num.io.threads", "9")])],
        "another broker, append": [(BROKER, "2", [(APPEND, "num.io.threads", "9")])],
        "group beside a good topic": [good, (GROUP, "g", [(4, "consumer.session.timeout.ms", "50000")])],
        "client metrics beside a good topic": [good, (CLIENT_METRICS, "m", [(4, "interval.ms", "1000")])],
        "unknown kind beside it": [(3, "x", []), (TOPIC, topic, [(4, "retention.ms", "1")])],
        "null value beside it": [
            (TOPIC, other, [(SET, "retention.ms", None)]),
            (TOPIC, topic, [(4, "retention.ms", "1")]),
        ],
    }
    for version in range(2):
        for note, resources in cases.items():
            run.call(note, change(*resources, validate_only=True), version)


@scenario
def alter_configs_order(run: Run) -> None:
    """Names before values, values before whether a topic exists."""
    for note, kind, name, key, value in (
        ("unknown topic, bad value", TOPIC, "no-such-topic", "retention.ms", "soon"),
        ("unknown topic, unknown key", TOPIC, "no-such-topic", "no.such.key", "1"),
        ("unknown topic, good value", TOPIC, "no-such-topic", "retention.ms", "1000"),
        ("invalid topic, bad value", TOPIC, "a b", "retention.ms", "soon"),
        ("no topic, bad value", TOPIC, "", "retention.ms", "soon"),
        ("broker, bad min.insync.replicas", BROKER, "1", "min.insync.replicas", "many"),
        ("all brokers, bad value", BROKER, "", "num.io.threads", "-1"),
        ("another broker, bad value", BROKER, "2", "num.io.threads", "-1"),
        ("no group, bad value", GROUP, "", "consumer.session.timeout.ms", "soon"),
    ):
        for version in range(3):
            run.call(note, replace((kind, name, [(key, value)]), validate_only=True), version)
        for version in range(2):
            run.call(note, change((kind, name, [(SET, key, value)]), validate_only=True), version)
        run.call(f"{note}, append", change((kind, name, [(APPEND, key, value)]), validate_only=True), 1)
