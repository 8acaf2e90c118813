"""Replay: the only code that changes a `MetadataImage`, one record at a time.

Records of features that kstream does not have yet (SCRAM users, ACLs, delegation tokens, controllers) are
kept as they are, for snapshots and for whoever knows them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from kstream.broker.metadata.delta import MetadataDelta
from kstream.broker.metadata.image import (
    BrokerImage,
    MetadataImage,
    PartitionImage,
    QuotaEntity,
    ResourceType,
    TopicImage,
)
from kstream.errors import KstreamError
from kstream.records.schemas.metadata import (
    AccessControlEntryRecord,
    BrokerRegistrationChangeRecord,
    ClearElrRecord,
    ClientQuotaRecord,
    ConfigRecord,
    DelegationTokenRecord,
    FeatureLevelRecord,
    FenceBrokerRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    RegisterControllerRecord,
    RemoveAccessControlEntryRecord,
    RemoveDelegationTokenRecord,
    RemoveTopicRecord,
    RemoveUserScramCredentialRecord,
    TopicRecord,
    UnfenceBrokerRecord,
    UnregisterBrokerRecord,
    UnregisterControllerRecord,
    UserScramCredentialRecord,
)
from kstream.wire.schema import Message

_LEADER_UNCHANGED = -2
_RECOVERY_UNCHANGED = -1
_FENCE, _UNFENCE = 1, -1
CONTROLLER = "controller"


class MetadataFault(KstreamError):
    """Records that contradict each other: the metadata log is damaged, or written by something newer."""


def normalized(name: str) -> str:
    """What two topic names must not share: metrics names cannot tell '.' from '_'."""
    return name.replace(".", "_")


def replay(image: MetadataImage, record: Message, delta: MetadataDelta) -> None:
    """Apply one record and note in `delta` what it changed.

    Raises:
        MetadataFault: the record speaks of a topic, partition or broker that is not there.
    """
    apply = _REPLAYS.get(type(record))
    if apply is not None:
        apply(image, record, delta)
    elif type(record) in _KEPT:
        kind, key = _KEPT[type(record)]
        image.kept[kind, *(getattr(record, name) for name in key)] = record
    elif type(record) in _FORGOTTEN:
        kind, key = _KEPT[_FORGOTTEN[type(record)]]
        image.kept.pop((kind, *(getattr(record, name) for name in key)), None)


def _topic(image: MetadataImage, record: TopicRecord, delta: MetadataDelta) -> None:
    if record.name in image.topics_by_name:
        raise MetadataFault(f"topic {record.name} is created while it exists")
    topic = TopicImage(record.name, record.topic_id)
    image.topics_by_name[record.name] = topic
    image.topics_by_id[record.topic_id] = topic
    image.normalized_names.setdefault(normalized(record.name), set()).add(record.name)
    delta.topics_created[record.topic_id] = topic


def _remove_topic(image: MetadataImage, record: RemoveTopicRecord, delta: MetadataDelta) -> None:
    topic = _topic_by_id(image, record.topic_id)
    del image.topics_by_id[topic.topic_id]
    del image.topics_by_name[topic.name]
    names = image.normalized_names[normalized(topic.name)]
    names.discard(topic.name)
    if not names:
        del image.normalized_names[normalized(topic.name)]
    resource = (ResourceType.TOPIC, topic.name)
    if image.configs.pop(resource, None) is not None:
        delta.configs_changed.add(resource)
    delta.on_topic_removed(topic)


def _partition(image: MetadataImage, record: PartitionRecord, delta: MetadataDelta) -> None:
    topic = _topic_by_id(image, record.topic_id)
    partition = PartitionImage(
        record.partition_id,
        record.leader,
        record.leader_epoch,
        record.partition_epoch,
        tuple(record.replicas),
        tuple(record.isr),
        tuple(record.directories),
        tuple(record.eligible_leader_replicas or ()),
        tuple(record.last_known_elr or ()),
        tuple(record.removing_replicas),
        tuple(record.adding_replicas),
        record.leader_recovery_state,
    )
    count = len(topic.partitions)
    if record.partition_id > count:
        raise MetadataFault(f"partition {topic.name}-{record.partition_id} appears where {count} exist")
    _replace(image, topic, partition, delta)


def _partition_change(image: MetadataImage, record: PartitionChangeRecord, delta: MetadataDelta) -> None:
    topic = _topic_by_id(image, record.topic_id)
    if not 0 <= record.partition_id < len(topic.partitions):
        raise MetadataFault(f"partition {topic.name}-{record.partition_id} changes but does not exist")
    old = topic.partitions[record.partition_id]
    changes: dict[str, Any] = {"partition_epoch": old.partition_epoch + 1}
    if record.leader != _LEADER_UNCHANGED:
        changes["leader"] = record.leader
        changes["leader_epoch"] = old.leader_epoch + 1
    if record.leader_recovery_state != _RECOVERY_UNCHANGED:
        changes["leader_recovery_state"] = record.leader_recovery_state
    for field, name in _PARTITION_LISTS:
        values = getattr(record, field)
        if values is not None:
            changes[name] = tuple(values)
    _replace(image, topic, dataclasses.replace(old, **changes), delta)


_PARTITION_LISTS = (
    ("isr", "isr"),
    ("replicas", "replicas"),
    ("directories", "directories"),
    ("removing_replicas", "removing_replicas"),
    ("adding_replicas", "adding_replicas"),
    ("eligible_leader_replicas", "eligible_leader_replicas"),
    ("last_known_elr", "last_known_eligible"),
)


def _replace(
    image: MetadataImage, topic: TopicImage, partition: PartitionImage, delta: MetadataDelta
) -> None:
    if not delta.is_fresh(topic):
        topic = TopicImage(topic.name, topic.topic_id, list(topic.partitions))
        image.topics_by_name[topic.name] = topic
        image.topics_by_id[topic.topic_id] = topic
        delta.topics_changed[topic.topic_id] = topic
    if partition.index == len(topic.partitions):
        topic.partitions.append(partition)
    else:
        topic.partitions[partition.index] = partition


def _config(image: MetadataImage, record: ConfigRecord, delta: MetadataDelta) -> None:
    resource = (record.resource_type, record.resource_name)
    configs = dict(image.configs.get(resource, {}))
    if record.value is None:
        configs.pop(record.name, None)
    else:
        configs[record.name] = record.value
    if configs:
        image.configs[resource] = configs
    else:
        image.configs.pop(resource, None)
    delta.configs_changed.add(resource)


def _client_quota(image: MetadataImage, record: ClientQuotaRecord, delta: MetadataDelta) -> None:
    entity = quota_entity((part.entity_type, part.entity_name) for part in record.entity)
    values = dict(image.client_quotas.get(entity, {}))
    if record.remove:
        values.pop(record.key, None)
    else:
        values[record.key] = record.value
    if values:
        image.client_quotas[entity] = values
    else:
        image.client_quotas.pop(entity, None)
    delta.client_quotas_changed = True


def quota_entity(parts: Iterable[tuple[str, str | None]]) -> QuotaEntity:
    """An entity in the one order it is known by; the last name of a type counts."""
    return tuple(sorted(dict(parts).items(), key=lambda part: part[0]))


def _feature_level(image: MetadataImage, record: FeatureLevelRecord, delta: MetadataDelta) -> None:
    if record.feature_level:
        image.features[record.name] = record.feature_level
    else:
        image.features.pop(record.name, None)
    delta.features_changed = True


def _producer_ids(image: MetadataImage, record: ProducerIdsRecord, delta: MetadataDelta) -> None:
    if record.next_producer_id < image.next_producer_id:
        raise MetadataFault(
            f"producer ids go back from {image.next_producer_id} to {record.next_producer_id}"
        )
    image.next_producer_id = record.next_producer_id


def _register_broker(image: MetadataImage, record: RegisterBrokerRecord, delta: MetadataDelta) -> None:
    image.brokers[record.broker_id] = BrokerImage(
        record.broker_id,
        record.broker_epoch,
        record.incarnation_id,
        tuple((end.name, end.host, end.port, end.security_protocol) for end in record.end_points),
        record.rack,
        record.fenced,
        tuple(record.log_dirs),
        tuple(
            (each.name, each.min_supported_version, each.max_supported_version) for each in record.features
        ),
        record.in_controlled_shutdown,
        None if record.cordoned_log_dirs is None else tuple(record.cordoned_log_dirs),
    )
    delta.brokers_changed.add(record.broker_id)


def _unregister_broker(image: MetadataImage, record: UnregisterBrokerRecord, delta: MetadataDelta) -> None:
    image.brokers.pop(_broker(image, record.broker_id).broker_id)
    delta.brokers_changed.add(record.broker_id)


def _broker_change(
    image: MetadataImage, record: BrokerRegistrationChangeRecord, delta: MetadataDelta
) -> None:
    broker = _broker(image, record.broker_id)
    if record.fenced in (_FENCE, _UNFENCE):
        broker = broker._replace(is_fenced=record.fenced == _FENCE)
    if record.in_controlled_shutdown:
        broker = broker._replace(in_controlled_shutdown=True)
    if record.log_dirs:
        broker = broker._replace(log_dirs=tuple(record.log_dirs))
    if record.cordoned_log_dirs is not None:
        broker = broker._replace(cordoned_log_dirs=tuple(record.cordoned_log_dirs))
    image.brokers[record.broker_id] = broker
    delta.brokers_changed.add(record.broker_id)


def _fence(
    image: MetadataImage, record: FenceBrokerRecord | UnfenceBrokerRecord, delta: MetadataDelta
) -> None:
    broker = _broker(image, record.id)
    image.brokers[record.id] = broker._replace(is_fenced=isinstance(record, FenceBrokerRecord))
    delta.brokers_changed.add(record.id)


def _clear_eligible(image: MetadataImage, record: ClearElrRecord, delta: MetadataDelta) -> None:
    """No eligible leader replicas any more (KIP-966), of one topic or of all."""
    if record.topic_name:
        topic = image.topics_by_name.get(record.topic_name)
        if topic is None:
            raise MetadataFault(f"a record speaks of topic {record.topic_name}, which does not exist")
        topics = [topic]
    else:
        topics = list(image.topics_by_name.values())
    for topic in topics:
        for partition in topic.partitions:
            if partition.eligible_leader_replicas or partition.last_known_eligible:
                cleared = dataclasses.replace(partition, eligible_leader_replicas=(), last_known_eligible=())
                _replace(image, image.topics_by_id[topic.topic_id], cleared, delta)


def _topic_by_id(image: MetadataImage, topic_id: bytes) -> TopicImage:
    topic = image.topics_by_id.get(topic_id)
    if topic is None:
        raise MetadataFault(f"a record speaks of topic id {topic_id.hex()}, which does not exist")
    return topic


def _broker(image: MetadataImage, broker_id: int) -> BrokerImage:
    broker = image.brokers.get(broker_id)
    if broker is None:
        raise MetadataFault(f"a record speaks of broker {broker_id}, which is not registered")
    return broker


_REPLAYS: dict[type[Message], Callable[[MetadataImage, Any, MetadataDelta], None]] = {
    TopicRecord: _topic,
    RemoveTopicRecord: _remove_topic,
    PartitionRecord: _partition,
    PartitionChangeRecord: _partition_change,
    ConfigRecord: _config,
    ClientQuotaRecord: _client_quota,
    FeatureLevelRecord: _feature_level,
    ProducerIdsRecord: _producer_ids,
    RegisterBrokerRecord: _register_broker,
    UnregisterBrokerRecord: _unregister_broker,
    BrokerRegistrationChangeRecord: _broker_change,
    FenceBrokerRecord: _fence,
    UnfenceBrokerRecord: _fence,
    ClearElrRecord: _clear_eligible,
}

_KEPT: dict[type[Message], tuple[str, tuple[str, ...]]] = {
    UserScramCredentialRecord: ("SCRAM credential", ("name", "mechanism")),
    AccessControlEntryRecord: ("ACL", ("id",)),
    DelegationTokenRecord: ("delegation token", ("token_id",)),
    RegisterControllerRecord: (CONTROLLER, ("controller_id",)),
}
"""What is kept: what it is called, and the fields that tell one from another."""

_FORGOTTEN: dict[type[Message], type[Message]] = {
    RemoveUserScramCredentialRecord: UserScramCredentialRecord,
    RemoveAccessControlEntryRecord: AccessControlEntryRecord,
    RemoveDelegationTokenRecord: DelegationTokenRecord,
    UnregisterControllerRecord: RegisterControllerRecord,
}
"""The records that end what was kept."""
