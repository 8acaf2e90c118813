"""Metadata."""

from __future__ import annotations

from compat.oracle.requests import UNKNOWN_ID
from compat.oracle.run import Run, Topic, scenario
from kstream.wire.fields import ZERO_UUID
from kstream.wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse

VERSIONS = range(14)
INVALID_NAMES = ["", ".", "..", "a b", "a/b", "ä", "a" * 250, "a\0", "a:b", "__consumer_offsets2!"]


def _named(*names: str, version: int, auto: bool = False, **fields: bool) -> MetadataRequest:
    # Versions before 4 always allow auto-creation, and cannot say otherwise.
    allow = auto if version >= 4 else True
    topics = [MetadataRequestTopic(name=name) for name in names]
    return MetadataRequest(topics=topics, allow_auto_topic_creation=allow, **fields)


def _by_id(*ids: bytes, name: str | None = None) -> MetadataRequest:
    topics = [MetadataRequestTopic(topic_id=each, name=name) for each in ids]
    return MetadataRequest(topics=topics, allow_auto_topic_creation=False)


@scenario
def metadata_topics(run: Run) -> None:
    """Topics by name: one, several, in an order, twice, with several partitions."""
    one = run.topic("one")
    two = run.topic("two", partitions=3)
    for version in VERSIONS:
        run.call("no topics", _named(version=version) if version else _named(one.name, version=0), version)
        run.call("one topic", _named(one.name, version=version), version)
        run.call("two topics", _named(two.name, one.name, version=version), version)
        run.call("twice", _named(one.name, one.name, version=version), version)


@scenario
def metadata_unknown(run: Run) -> None:
    """Unknown names, where the request does not let them be created."""
    topic = run.topic("a")
    for version in range(4, 14):
        run.call("unknown", _named("no-such-topic", version=version), version)
        run.call("unknown and known", _named("no-such-topic", topic.name, version=version), version)
        run.call("unknown twice", _named("no-such-topic", "no-such-topic", version=version), version)


@scenario
def metadata_invalid_names(run: Run) -> None:
    """Names that no topic can have, with and without auto-creation."""
    for version in VERSIONS:
        for name in INVALID_NAMES:
            shown = f"{name[:20]!r} of {len(name)}"
            if version >= 4:
                run.call(f"{shown}", _named(name, version=version), version)
            run.call(f"{shown}, may be created", _named(name, version=version, auto=True), version)


@scenario
def metadata_auto_create(run: Run) -> None:
    """A name that may be created is, and the first answer is 3 or 5 as Kafka's is; collisions are refused."""
    for version in VERSIONS:
        name = run.name(f"v{version}")
        request = _named(name, version=version, auto=True)
        run.call("first", request, version)
        run.until(request, version, lambda answer: answer.topics[0].error_code == 0)
        run.call("then", request, version)
    dotted = Topic(run.name("x.y"), ZERO_UUID)
    run.until(_named(dotted.name, version=4, auto=True), 4, lambda answer: answer.topics[0].error_code == 0)
    run.call("collides", _named(run.name("x_y"), version=12, auto=True), 12)
    run.call("internal", _named("__consumer_offsets_", version=12), 12)


@scenario
def metadata_ids(run: Run) -> None:
    """Topics by id (KIP-516): known, unknown, none, and names beside ids."""
    one = run.topic("one")
    two = run.topic("two", partitions=2)
    for version in range(10, 14):
        run.call("one id", _by_id(one.id), version)
        run.call("two ids", _by_id(two.id, one.id), version)
        run.call("unknown id", _by_id(UNKNOWN_ID), version)
        run.call("unknown and known", _by_id(UNKNOWN_ID, one.id), version)
        run.call("id twice", _by_id(one.id, one.id), version)
        run.call("no id, no name", _by_id(ZERO_UUID), version)
        run.call("id and its name", _by_id(one.id, name=one.name), version)
        run.call("id and another name", _by_id(one.id, name=two.name), version)
        mixed = MetadataRequest(
            topics=[MetadataRequestTopic(topic_id=one.id, name=None), MetadataRequestTopic(name=two.name)],
            allow_auto_topic_creation=False,
        )
        run.call("one by id, one by name", mixed, version)
        creatable = _by_id(UNKNOWN_ID)
        creatable.allow_auto_topic_creation = True
        run.call("unknown id, may be created", creatable, version)


@scenario
def metadata_authorized_operations(run: Run) -> None:
    """What may be done, where the request asks."""
    topic = run.topic("a")
    for version in range(8, 14):
        flags = [(False, True), (False, False)]
        if version <= 10:
            flags += [(True, False), (True, True)]
        for cluster, topics in flags:
            request = _named(
                topic.name,
                "no-such-topic",
                version=version,
                include_cluster_authorized_operations=cluster,
                include_topic_authorized_operations=topics,
            )
            run.call(f"cluster {cluster} topics {topics}", request, version)
        if version >= 10:
            request = _by_id(topic.id, UNKNOWN_ID)
            request.include_topic_authorized_operations = True
            run.call("by id", request, version)


@scenario
def metadata_all_topics(run: Run) -> None:
    """Null asks for all topics, as an empty list does in version 0; an empty list asks for none."""
    topic = run.topic("a", partitions=2)

    def ours_alone(answer: MetadataResponse) -> None:
        answer.topics = [each for each in answer.topics if each.name == topic.name]

    for version in VERSIONS:
        request = MetadataRequest(topics=None if version else [])
        run.call("all, ours alone", request, version, trim=ours_alone)
        if version:
            run.call("empty", MetadataRequest(topics=[]), version)
