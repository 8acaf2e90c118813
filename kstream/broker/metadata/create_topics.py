"""Creating topics, as the controller of Apache Kafka 4.4.0 decides it.

Pure: an operation looks at the image and returns results and records. Within one topic the order of checks
is: name, existence, configuration, assignments or counts, placement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kstream.broker.metadata.image import METADATA_TOPIC, MetadataImage, ResourceType
from kstream.broker.metadata.names import check_new_name
from kstream.broker.metadata.placement import check_replicas, partition_record, place
from kstream.broker.metadata.store import Change
from kstream.config.broker import BrokerConfig
from kstream.config.errors import ConfigError
from kstream.config.topics import validate_topic_configs
from kstream.errors import ApiError, ErrorCode
from kstream.records.schemas.metadata import ConfigRecord, TopicRecord
from kstream.wire.schema import Message
from kstream.wire.uuids import ZERO_UUID, random_uuid

PARTITIONS_PER_REQUEST_MAX = 10_000
USE_DEFAULT = -1
_TIERED_STORAGE = "remote.storage.enable"


class NewTopic(NamedTuple):
    """One topic that a client wants."""

    name: str
    num_partitions: int = USE_DEFAULT
    replication_factor: int = USE_DEFAULT
    assignments: Sequence[tuple[int, Sequence[int]]] = ()
    """(partition index, broker ids); then both counts must be -1."""
    configs: Sequence[tuple[str, str | None]] = ()
    """In the request's order; of a key given twice the last counts."""


class CreatedTopic(NamedTuple):
    """What became of it. `configs` are its own settings; after an error only `name` and `error` mean
    something.
    """

    name: str
    error: ApiError | None = None
    topic_id: bytes = ZERO_UUID
    num_partitions: int = -1
    replication_factor: int = -1
    configs: Mapping[str, str] = {}


def create_topics(
    image: MetadataImage, config: BrokerConfig, topics: Sequence[NewTopic], *, validate_only: bool = False
) -> Change[list[CreatedTopic]]:
    """Create what can be created, each topic for itself.

    Results are in the request's order, then, as in Kafka, one for each name that occurs twice, and one for
    `__cluster_metadata`.
    """
    counts = Counter(topic.name for topic in topics)
    wanted = [topic for topic in topics if counts[topic.name] == 1 and topic.name != METADATA_TOPIC]
    if _count_partitions(wanted, config) > PARTITIONS_PER_REQUEST_MAX:
        excess = ApiError(ErrorCode.POLICY_VIOLATION, "Excessively large number of partitions per request.")
        return Change([CreatedTopic(name, excess) for name in counts])
    records: list[Message] = []
    results: list[CreatedTopic] = []
    for topic in wanted:
        try:
            created, topic_records = _create(image, config, topic)
        except ApiError as error:
            results.append(CreatedTopic(topic.name, error))
        else:
            results.append(created)
            records += topic_records
    for name, count in counts.items():
        if count > 1:
            text = "Duplicate topic name."
            results.append(CreatedTopic(name, ApiError(ErrorCode.INVALID_REQUEST, text)))
    if counts[METADATA_TOPIC] == 1:
        text = f"Creation of internal topic {METADATA_TOPIC} is prohibited."
        results.append(CreatedTopic(METADATA_TOPIC, ApiError(ErrorCode.INVALID_REQUEST, text)))
    return Change(results, () if validate_only else records)


def _count_partitions(topics: Sequence[NewTopic], config: BrokerConfig) -> int:
    total = 0
    for topic in topics:
        if topic.assignments:
            total += len(topic.assignments)
        elif topic.num_partitions == USE_DEFAULT:
            total += config.num_partitions
        else:
            total += max(topic.num_partitions, 0)
    return total


def _create(
    image: MetadataImage, config: BrokerConfig, topic: NewTopic
) -> tuple[CreatedTopic, list[Message]]:
    check_new_name(image, topic.name)
    configs = _checked_configs(topic)
    assignments = (
        _checked_assignments(image, topic) if topic.assignments else _chosen_assignments(image, config, topic)
    )
    topic_id = random_uuid()
    records: list[Message] = [TopicRecord(name=topic.name, topic_id=topic_id)]
    records += [
        ConfigRecord(resource_type=ResourceType.TOPIC, resource_name=topic.name, name=name, value=value)
        for name, value in configs.items()
    ]
    records += [
        partition_record(image, topic_id, index, replicas) for index, replicas in enumerate(assignments)
    ]
    created = CreatedTopic(topic.name, None, topic_id, len(assignments), len(assignments[0]), configs)
    return created, records


def _checked_configs(topic: NewTopic) -> dict[str, str]:
    configs: dict[str, str] = {}
    try:
        for name, value in topic.configs:
            if value is None:
                raise ConfigError(f"Null value not supported for topic configs: {name}")
            configs[name] = value
        validate_topic_configs(configs)
    except ConfigError as error:
        raise ApiError(ErrorCode.INVALID_CONFIG, str(error)) from None
    check_tiered_storage(configs)
    return configs


def check_tiered_storage(configs: Mapping[str, str]) -> None:
    """Raise ApiError INVALID_CONFIG for a topic that wants remote storage, as a broker without it does."""
    if configs.get(_TIERED_STORAGE, "false").strip().lower() == "true":
        raise ApiError(
            ErrorCode.INVALID_CONFIG,
            "Tiered Storage functionality is disabled in the broker."
            " Topic cannot be configured with remote log storage.",
        )


def _checked_assignments(image: MetadataImage, topic: NewTopic) -> Sequence[Sequence[int]]:
    if topic.replication_factor != USE_DEFAULT:
        raise ApiError(
            ErrorCode.INVALID_REQUEST,
            "A manual partition assignment was specified, but replication factor was not set to -1.",
        )
    if topic.num_partitions != USE_DEFAULT:
        raise ApiError(
            ErrorCode.INVALID_REQUEST,
            "A manual partition assignment was specified, but numPartitions was not set to -1.",
        )
    by_index: dict[int, Sequence[int]] = {}
    replication_factor: int | None = None
    for index, replicas in topic.assignments:
        if index in by_index:
            raise _invalid_assignment(f"Found multiple manual partition assignments for partition {index}")
        check_replicas(image, replicas, replication_factor)
        replication_factor = len(replicas)
        by_index[index] = replicas
    if sorted(by_index) != list(range(len(by_index))):
        raise _invalid_assignment("partitions should be a consecutive 0-based integer sequence")
    return [by_index[index] for index in range(len(by_index))]


def _chosen_assignments(
    image: MetadataImage, config: BrokerConfig, topic: NewTopic
) -> Sequence[Sequence[int]]:
    replication_factor, num_partitions = topic.replication_factor, topic.num_partitions
    if replication_factor < USE_DEFAULT or replication_factor == 0:
        raise ApiError(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            "Replication factor must be larger than 0, or -1 to use the default value.",
        )
    if num_partitions < USE_DEFAULT or num_partitions == 0:
        raise ApiError(
            ErrorCode.INVALID_PARTITIONS, "Number of partitions was set to an invalid non-positive value."
        )
    if replication_factor == USE_DEFAULT:
        replication_factor = config.default_replication_factor
    if num_partitions == USE_DEFAULT:
        num_partitions = config.num_partitions
    return place(image, 0, num_partitions, replication_factor)


def _invalid_assignment(message: str) -> ApiError:
    return ApiError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message)
