"""CreateTopics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compat.oracle.run import Run, scenario
from kstream.wire.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from kstream.wire.messages.metadata import MetadataRequest, MetadataRequestTopic

VERSIONS = range(2, 8)
_DEFAULT_SOURCE = 5


def _topic(
    name: str,
    partitions: int = 1,
    replication: int = 1,
    *,
    assigned: list[tuple[int, list[int]]] | None = None,
    configs: Mapping[str, str | None] | None = None,
) -> CreatableTopic:
    return CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=replication,
        assignments=[
            CreatableReplicaAssignment(partition_index=index, broker_ids=brokers)
            for index, brokers in assigned or []
        ],
        configs=[CreatableTopicConfig(name=key, value=value) for key, value in (configs or {}).items()],
    )


def _create(*topics: CreatableTopic, **fields: Any) -> CreateTopicsRequest:
    return CreateTopicsRequest(topics=list(topics), **{"timeout_ms": 10_000} | fields)


def _both(run: Run, note: str, topic: CreatableTopic, version: int) -> None:
    """The same topic, validated only and then for real."""
    run.call(f"{note}, validated only", _create(topic, validate_only=True), version, trim=_without_defaults)
    run.call(note, _create(topic), version, trim=_without_defaults)


def _without_defaults(answer: CreateTopicsResponse) -> None:
    """Every answer lists all configs of the topic: one scenario records all, the others what was set."""
    for topic in answer.topics:
        topic.configs = [each for each in topic.configs or [] if each.config_source != _DEFAULT_SOURCE]


@scenario
def create_topics(run: Run) -> None:
    """Topics as they are mostly created, and once more (36)."""
    for version in VERSIONS:
        name = run.name(f"v{version}")
        run.call("one partition, validated only", _create(_topic(name), validate_only=True), version)
        run.call("one partition", _create(_topic(name)), version)
        run.call("again", _create(_topic(name)), version)
        run.call("again, validated only", _create(_topic(name), validate_only=True), version)
        run.until(
            MetadataRequest(topics=[MetadataRequestTopic(name=name)], allow_auto_topic_creation=False),
            12,
            lambda answer: answer.topics[0].error_code == 0,
        )
        run.call(
            "three partitions",
            _create(_topic(run.name(f"v{version}-three"), 3)),
            version,
            trim=_without_defaults,
        )
        pair = _create(_topic(run.name(f"v{version}-x")), _topic(run.name(f"v{version}-y"), 2))
        run.call("two at once", pair, version, trim=_without_defaults)
        run.call("none", _create(), version)
        run.call("timeout 0", _create(_topic(run.name(f"v{version}-0")), timeout_ms=0), version)
        run.call("timeout negative", _create(_topic(run.name(f"v{version}-n")), timeout_ms=-1), version)


@scenario
def create_topics_counts(run: Run) -> None:
    """Numbers of partitions and replicas: the broker's defaults (-1, KIP-464), and ones that cannot be."""
    for version in VERSIONS:
        for partitions in (-1, 0, -2, 2):
            for replication in (-1, 1, 0, -2, 2, 32767):
                name = run.name(f"v{version}-p{partitions}-r{replication}")
                _both(
                    run,
                    f"{partitions} partitions, {replication} replicas",
                    _topic(name, partitions, replication),
                    version,
                )
        for partitions in (2**31 - 1, 1_000_000):
            name = run.name(f"v{version}-many")
            request = _create(_topic(name, partitions), validate_only=True)
            run.call(f"{partitions} partitions, validated only", request, version)


@scenario
def create_topics_assignments(run: Run) -> None:
    """Assignments by hand: brokers that are not there, gaps, and counts beside them (39, 42)."""
    cases: dict[str, tuple[int, int, list[tuple[int, list[int]]]]] = {
        "one": (-1, -1, [(0, [1])]),
        "two": (-1, -1, [(0, [1]), (1, [1])]),
        "two, backwards": (-1, -1, [(1, [1]), (0, [1])]),
        "with a count": (1, -1, [(0, [1])]),
        "with replicas": (-1, 1, [(0, [1])]),
        "with both": (1, 1, [(0, [1])]),
        "count 0": (0, -1, [(0, [1])]),
        "no such broker": (-1, -1, [(0, [2])]),
        "negative broker": (-1, -1, [(0, [-1])]),
        "broker twice": (-1, -1, [(0, [1, 1])]),
        "a broker too many": (-1, -1, [(0, [1, 2])]),
        "no brokers": (-1, -1, [(0, [])]),
        "uneven": (-1, -1, [(0, [1]), (1, [1, 2])]),
        "partition twice": (-1, -1, [(0, [1]), (0, [1])]),
        "begins at 1": (-1, -1, [(1, [1])]),
        "a gap": (-1, -1, [(0, [1]), (2, [1])]),
        "negative partition": (-1, -1, [(-1, [1])]),
    }
    for version in VERSIONS:
        for number, (note, (partitions, replication, assigned)) in enumerate(cases.items()):
            name = run.name(f"v{version}-{number}")
            _both(run, note, _topic(name, partitions, replication, assigned=assigned), version)


@scenario
def create_topics_names(run: Run) -> None:
    """Names that no topic can have (17), names that collide, and the longest."""
    names = ["", ".", "..", "a b", "a/b", "ä", "a\0", "a:b", "a" * 250, "__cluster_metadata", "x,y", "*"]
    for version in VERSIONS:
        for name in names:
            _both(run, f"{name[:20]!r} of {len(name)}", _topic(name), version)
        dotted, scored = run.name(f"v{version}.a"), run.name(f"v{version}_a")
        run.call("with a dot", _create(_topic(dotted)), version)
        _both(run, "with an underscore instead", _topic(scored), version)
        prefix = run.name(f"v{version}-")
        run.call("249 long", _create(_topic(prefix + "l" * (249 - len(prefix))), validate_only=True), version)
        run.call("250 long", _create(_topic(prefix + "l" * (250 - len(prefix))), validate_only=True), version)


@scenario
def create_topics_duplicates(run: Run) -> None:
    """The same name more than once in a request (42), beside others."""
    for version in VERSIONS:
        name, other = run.name(f"v{version}-a"), run.name(f"v{version}-b")
        run.call("twice", _create(_topic(name), _topic(name)), version)
        run.call("twice, differently", _create(_topic(name, 2), _topic(name, 3)), version)
        run.call("twice, beside another", _create(_topic(name), _topic(other), _topic(name)), version)
        run.call("now once", _create(_topic(name)), version)
        wrong = _create(
            _topic("a b"), _topic(run.name(f"v{version}-c")), _topic(run.name(f"v{version}-d"), 0)
        )
        run.call("wrong beside right", wrong, version)


@scenario
def create_topics_configs(run: Run) -> None:
    """Configs: what is answered about them (KIP-525), and what is refused (40)."""
    cases: dict[str, dict[str, str | None]] = {
        "retention": {"retention.ms": "1000"},
        "retention -1": {"retention.ms": "-1"},
        "retention -2": {"retention.ms": "-2"},
        "not a number": {"retention.ms": "soon"},
        "empty": {"retention.ms": ""},
        "with spaces": {"retention.ms": " 1000 "},
        "null": {"retention.ms": None},
        "unknown key": {"no.such.config": "1"},
        "empty key": {"": "1"},
        "compact": {"cleanup.policy": "compact"},
        "compact and delete": {"cleanup.policy": "compact,delete"},
        "policy in capitals": {"cleanup.policy": "COMPACT"},
        "no such policy": {"cleanup.policy": "keep"},
        "no policy": {"cleanup.policy": ""},
        "codec": {"compression.type": "zstd"},
        "no such codec": {"compression.type": "brotli"},
        "codec in capitals": {"compression.type": "GZIP"},
        "segment too small": {"segment.bytes": "13"},
        "segment of 1 MiB": {"segment.bytes": "1048576"},
        "beyond an int": {"segment.bytes": "99999999999"},
        "boolean": {"preallocate": "true"},
        "boolean in capitals": {"preallocate": "TRUE"},
        "no boolean": {"preallocate": "yes"},
        "a double": {"min.cleanable.dirty.ratio": "0.7"},
        "a double too large": {"min.cleanable.dirty.ratio": "1.1"},
        "min.insync.replicas 0": {"min.insync.replicas": "0"},
        "min.insync.replicas 2": {"min.insync.replicas": "2"},
        "LogAppendTime": {"message.timestamp.type": "LogAppendTime"},
        "no such timestamp type": {"message.timestamp.type": "Now"},
        "remote storage": {"remote.storage.enable": "true"},
        "local retention beyond retention": {"local.retention.ms": "2000", "retention.ms": "1000"},
        "compaction lags crossed": {"min.compaction.lag.ms": "2000", "max.compaction.lag.ms": "1000"},
        "gzip level": {"compression.gzip.level": "9"},
        "gzip level too high": {"compression.gzip.level": "10"},
        "zstd level too high": {"compression.zstd.level": "100"},
        "throttled replicas": {"leader.replication.throttled.replicas": "0:1,1:1"},
        "throttled replicas, wrong": {"leader.replication.throttled.replicas": "zero"},
        "two keys": {"retention.ms": "1000", "cleanup.policy": "compact"},
        "one of two wrong": {"retention.ms": "1000", "cleanup.policy": "keep"},
        "a key of 3.x": {"message.format.version": "3.0"},
        "downconversion of 3.x": {"message.downconversion.enable": "true"},
        "timestamp difference of 3.x": {"message.timestamp.difference.max.ms": "1000"},
    }
    for version in VERSIONS:
        for number, (note, configs) in enumerate(cases.items()):
            _both(run, note, _topic(run.name(f"v{version}-{number}"), configs=configs), version)
        repeated = _topic(run.name(f"v{version}-twice"), configs={"retention.ms": "1"})
        repeated.configs.append(CreatableTopicConfig(name="retention.ms", value="2"))
        _both(run, "key twice", repeated, version)
