"""Metadata, versions 0-13.

- 0: no topics means all. 1: null means all, an empty list none. 4: whether to create what is missing. 8:
authorized
  operations (KIP-430); the cluster's only until 10. 10: topic ids; in 10 and 11 asking by id is refused.
  12: by id; then names in the same request are passed over. 13: a top-level error code, for a
  request that fails as a whole.
- Known topics come first, then the others, each in the request's order and once. - Unknown names get 3,
unknown ids 100, impossible names 17. - A missing topic is created before the answer, which then has it,
where Kafka says 3 and lets the client ask again
  (`auto.create.topics.enable`, `allow_auto_topic_creation`). A topic that cannot be created gets 3, as in
  Kafka.
- This broker's address is its listener's advertised one, or where the client reached it.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Any

import trio

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.authorized_operations import CLUSTER_OPERATIONS, TOPIC_OPERATIONS
from kstream.broker.metadata.create_topics import create_topics
from kstream.broker.metadata.image import (
    INTERNAL_TOPICS,
    METADATA_TOPIC,
    NO_LEADER,
    PartitionImage,
    TopicImage,
)
from kstream.broker.metadata.internal_topics import new_topic
from kstream.broker.metadata.names import fault_of
from kstream.broker.metadata.nodes import nodes_of
from kstream.broker.metadata.store import MetadataStore
from kstream.errors import ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.codec import encoder
from kstream.wire.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from kstream.wire.uuids import ZERO_UUID

_FIRST_VERSION_BY_ID = 12
_PARTITIONS_PER_TURN = 256
_error_and_index = Struct(">hi")
"""What every version of a partition's answer begins with."""

Topics = list[Any]
"""`MetadataResponseTopic`s, or their bytes."""


@handles(ApiKey.METADATA)
async def handle(context: RequestContext, request: MetadataRequest) -> MetadataResponse:
    refused = _refusal(request.topics or [], context.api_version)
    if refused:
        return _refuse(request.topics or [], refused)
    broker = context.broker
    topics = await _topics(context, request)
    address = broker.advertised(context.listener, context.local_address)
    nodes = nodes_of(broker.metadata.image, broker.node_id, address, context.listener)
    response = MetadataResponse(
        brokers=[
            MetadataResponseBroker(node_id=node.node_id, host=node.host, port=node.port, rack=node.rack)
            for node in nodes
        ],
        cluster_id=broker.cluster_id,
        controller_id=broker.node_id,
        topics=topics,
    )
    if request.include_cluster_authorized_operations:
        response.cluster_authorized_operations = CLUSTER_OPERATIONS
    return response


async def _topics(context: RequestContext, request: MetadataRequest) -> Topics:
    topics = request.topics
    store = context.broker.metadata
    maker = _TopicMaker(store, context.api_version, request.include_topic_authorized_operations)
    if topics is None or (not topics and context.api_version == 0):
        return await _all_topics(store, maker)
    ids = dict.fromkeys(topic.topic_id for topic in topics if topic.topic_id != ZERO_UUID)
    if ids:
        return await _topics_by_id(store, ids, maker)
    names = dict.fromkeys(topic.name for topic in topics if topic.name is not None)
    missing = [name for name in names if name not in store.image.topics_by_name]
    if missing and request.allow_auto_topic_creation and context.broker.config.auto_create_topics_enable:
        await _create(context, missing)
    return await _topics_by_name(store, names, maker)


def _refusal(topics: list[MetadataRequestTopic], version: int) -> ErrorCode:
    """Requests that name no topic, or name it by id too early, fail as a whole, with Kafka's codes."""
    if version < _FIRST_VERSION_BY_ID:
        is_odd = any(topic.name is None or topic.topic_id != ZERO_UUID for topic in topics)
        return ErrorCode.INVALID_REQUEST if is_odd else ErrorCode.NONE
    is_odd = any(topic.name is None and topic.topic_id == ZERO_UUID for topic in topics)
    return ErrorCode.UNKNOWN_SERVER_ERROR if is_odd else ErrorCode.NONE


def _refuse(topics: list[MetadataRequestTopic], error_code: ErrorCode) -> MetadataResponse:
    """The answer to a whole request that fails: it has no brokers either."""
    return MetadataResponse(
        topics=[
            MetadataResponseTopic(error_code=error_code, name=topic.name or "", topic_id=topic.topic_id)
            for topic in topics
        ],
        error_code=error_code,
    )


async def _create(context: RequestContext, names: list[str]) -> None:
    config = context.broker.config
    store = context.broker.metadata
    brokers = len(store.image.live_brokers())
    wanted = [new_topic(name, config, brokers) for name in names if name != METADATA_TOPIC]
    await store.update(lambda image: create_topics(image, config, wanted))


async def _topics_by_name(store: MetadataStore, names: Iterable[str], maker: _TopicMaker) -> Topics:
    known: Topics = []
    others: Topics = []
    for name in names:
        topic = store.image.topics_by_name.get(name)
        if topic is not None:
            known.append(await maker.topic(topic))
            continue
        fault = fault_of(name)
        other = MetadataResponseTopic(
            error_code=ErrorCode.INVALID_TOPIC_EXCEPTION if fault else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
            name=name,
            is_internal=name in INTERNAL_TOPICS,
        )
        if maker.with_operations:
            other.topic_authorized_operations = TOPIC_OPERATIONS
        others.append(other)
    return known + others


async def _topics_by_id(store: MetadataStore, ids: Iterable[bytes], maker: _TopicMaker) -> Topics:
    known: Topics = []
    unknown: Topics = []
    for topic_id in ids:
        topic = store.image.topics_by_id.get(topic_id)
        if topic is None:
            unknown.append(
                MetadataResponseTopic(error_code=ErrorCode.UNKNOWN_TOPIC_ID, name=None, topic_id=topic_id)
            )
        else:
            known.append(await maker.topic(topic))
    return known + unknown


async def _all_topics(store: MetadataStore, maker: _TopicMaker) -> Topics:
    """Every topic, made once for each state of the metadata."""
    answers: Topics | None = store.derived.get(maker.key)
    if answers is None:
        version = store.version
        answers = [await maker.topic(topic) for topic in list(store.image.topics_by_name.values())]
        if version == store.version:
            store.derived[maker.key] = answers
    return answers


class _TopicMaker:
    """Makes topics' parts of an answer: their bytes, kept with each image of a topic and set of live brokers.

    One broker may have ten thousand partitions, which take a tenth of a second: others have their turn in
    between.
    """

    def __init__(self, store: MetadataStore, version: int, with_operations: bool) -> None:
        self.with_operations = with_operations
        self.key = f"metadata v{version}{' with operations' if with_operations else ''}"
        self._live = [broker.broker_id for broker in store.image.live_brokers()]
        self._encode_topic = encoder(MetadataResponseTopic, version)
        self._encode_partition = encoder(MetadataResponsePartition, version)
        self._rests: dict[tuple[int, int, tuple[int, ...], tuple[int, ...]], bytes] = {}
        """What stands behind a partition's error and index, by what it says: most partitions say the same."""
        self._made = 0

    async def topic(self, topic: TopicImage) -> bytes:
        cached: tuple[list[int], bytes] | None = topic.derived.get(self.key)
        if cached is not None and cached[0] == self._live:
            return cached[1]
        partitions: list[Any] = []
        for partition in topic.partitions:
            partitions.append(self._partition(partition))
            self._made += 1
            if not self._made % _PARTITIONS_PER_TURN:
                await trio.lowlevel.checkpoint()
        answer = MetadataResponseTopic(
            name=topic.name,
            topic_id=topic.topic_id,
            is_internal=topic.is_internal,
            partitions=partitions,
        )
        if self.with_operations:
            answer.topic_authorized_operations = TOPIC_OPERATIONS
        encoded = self._encode_topic(answer)
        topic.derived[self.key] = (self._live, encoded)
        return encoded

    def _partition(self, partition: PartitionImage) -> bytes:
        error_code = ErrorCode.LEADER_NOT_AVAILABLE if partition.leader == NO_LEADER else ErrorCode.NONE
        said = (partition.leader, partition.leader_epoch, partition.replicas, partition.isr)
        rest = self._rests.get(said)
        if rest is None:
            offline = [replica for replica in partition.replicas if replica not in self._live]
            encoded = self._encode_partition(
                MetadataResponsePartition(
                    leader_id=partition.leader,
                    leader_epoch=partition.leader_epoch,
                    replica_nodes=list(partition.replicas),
                    isr_nodes=list(partition.isr),
                    offline_replicas=offline,
                )
            )
            rest = self._rests[said] = encoded[_error_and_index.size :]
        return _error_and_index.pack(error_code, partition.index) + rest
