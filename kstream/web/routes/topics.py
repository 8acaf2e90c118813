"""Topics: listed, created, described, deleted."""

from __future__ import annotations

import msgspec

from kstream.broker.broker import Broker
from kstream.broker.metadata.create_topics import USE_DEFAULT, NewTopic, create_topics
from kstream.broker.metadata.delete_topics import TopicKey, delete_topics
from kstream.broker.metadata.image import TopicImage
from kstream.errors import ApiError, ErrorCode
from kstream.testing.settling import settle
from kstream.web.operation import Call, Operation

_TAG = "topics"


class TopicSummary(msgspec.Struct):
    """A topic in the list."""

    name: str
    partitions: int
    is_internal: bool


class PartitionState(msgspec.Struct):
    """A partition and its offsets; `stable_offset` is where readers of committed records stop."""

    partition: int
    leader: int
    leader_epoch: int
    start_offset: int
    end_offset: int
    stable_offset: int
    size_bytes: int


class TopicDescription(msgspec.Struct):
    """A topic; `configs` are those that are its own."""

    name: str
    partitions: list[PartitionState]
    configs: dict[str, str]
    is_internal: bool


class TopicToCreate(msgspec.Struct, forbid_unknown_fields=True):
    """A topic that somebody wants; without `partitions` it gets the broker's `num.partitions`."""

    name: str
    partitions: int | None = None
    configs: dict[str, str] = {}


async def list_topics(call: Call) -> list[TopicSummary]:
    return [
        TopicSummary(name, len(topic.partitions), topic.is_internal)
        for name, topic in sorted(call.running.broker.metadata.image.topics_by_name.items())
    ]


async def create_topic(call: Call) -> TopicDescription:
    broker, wanted = call.running.broker, call.body
    new = NewTopic(
        wanted.name,
        USE_DEFAULT if wanted.partitions is None else wanted.partitions,
        configs=tuple(wanted.configs.items()),
    )
    (created,) = await broker.metadata.update(lambda image: create_topics(image, broker.config, [new]))
    if created.error is not None:
        raise created.error
    return await _description(broker, wanted.name)


async def describe_topic(call: Call) -> TopicDescription:
    return await _description(call.running.broker, call.path["topic"])


async def delete_topic(call: Call) -> None:
    broker, key = call.running.broker, TopicKey(call.path["topic"])
    (deleted,) = await broker.metadata.update(lambda image: delete_topics(image, [key]))
    if deleted.error is not None:
        raise deleted.error
    await settle()


def topic_image(broker: Broker, name: str) -> TopicImage:
    """Raises ApiError UNKNOWN_TOPIC_OR_PARTITION."""
    topic = broker.metadata.image.topics_by_name.get(name)
    if topic is None:
        raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"there is no topic {name}")
    return topic


async def _description(broker: Broker, name: str) -> TopicDescription:
    topic = topic_image(broker, name)
    await broker.partitions.open_ahead((name, each.index) for each in topic.partitions)
    states = []
    for each in topic.partitions:
        partition = await broker.partitions.wait_open(name, each.index)
        log = partition.log
        states.append(
            PartitionState(
                each.index,
                each.leader,
                each.leader_epoch,
                log.log_start_offset,
                partition.high_watermark,
                partition.last_stable_offset,
                log.size_bytes,
            )
        )
    configs = dict(broker.metadata.image.topic_configs(name))
    return TopicDescription(name, states, configs, topic.is_internal)


OPERATIONS = (
    Operation("GET", "/v1/topics", "All topics", list_topics, _TAG, answer=list[TopicSummary]),
    Operation(
        "POST",
        "/v1/topics",
        "Create a topic; it can be used once this is answered",
        create_topic,
        _TAG,
        body=TopicToCreate,
        answer=TopicDescription,
        status=201,
        errors=(409,),
    ),
    Operation(
        "GET",
        "/v1/topics/{topic}",
        "A topic, with its partitions' offsets",
        describe_topic,
        _TAG,
        answer=TopicDescription,
        errors=(404,),
    ),
    Operation(
        "DELETE",
        "/v1/topics/{topic}",
        "Delete a topic; its name is free again once this is answered",
        delete_topic,
        _TAG,
        status=204,
        errors=(404,),
    ),
)
