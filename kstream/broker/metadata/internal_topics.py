"""Topics that brokers create for themselves, with the settings that Apache Kafka 4.4.0 gives them.

One thing differs: Kafka's default of three replicas cannot be had with fewer brokers, and a single Kafka
broker with default settings never gets its internal topics. Here they get as many replicas as there are
brokers.
"""

from __future__ import annotations

from kstream.broker.metadata.create_topics import NewTopic, create_topics
from kstream.broker.metadata.image import OFFSETS_TOPIC, SHARE_STATE_TOPIC, TRANSACTIONS_TOPIC
from kstream.broker.metadata.store import MetadataStore
from kstream.config.broker import BrokerConfig
from kstream.errors import ErrorCode


def new_topic(name: str, config: BrokerConfig, brokers: int) -> NewTopic:
    """The topic of this name as a broker creates it without being told more: an internal one has its own
    partition count, replication (at most `brokers`, the live ones) and settings, any other takes the
    defaults.
    """
    if name == OFFSETS_TOPIC:
        configs = {
            "compression.type": "producer",
            "cleanup.policy": "compact",
            "segment.bytes": str(config.value("offsets.topic.segment.bytes")),
        }
        return _internal(name, config, brokers, "offsets.topic", configs)
    if name == TRANSACTIONS_TOPIC:
        configs = {
            "compression.type": "uncompressed",
            "cleanup.policy": "compact",
            "min.insync.replicas": str(config.value("transaction.state.log.min.isr")),
            "segment.bytes": str(config.value("transaction.state.log.segment.bytes")),
            "unclean.leader.election.enable": "false",
        }
        return _internal(name, config, brokers, "transaction.state.log", configs)
    if name == SHARE_STATE_TOPIC:
        configs = {
            "compression.type": "producer",
            "cleanup.policy": "delete",
            "min.insync.replicas": str(config.value("share.coordinator.state.topic.min.isr")),
            "retention.ms": "-1",
            "segment.bytes": str(config.value("share.coordinator.state.topic.segment.bytes")),
        }
        return _internal(name, config, brokers, "share.coordinator.state.topic", configs)
    return NewTopic(name)


async def ensure_internal_topic(metadata: MetadataStore, config: BrokerConfig, name: str) -> None:
    """Create an internal topic if it is not there.

    Raises:
        ApiError: it cannot be created.
    """
    if name in metadata.image.topics_by_name:
        return
    wanted = new_topic(name, config, len(metadata.image.live_brokers()))
    (created,) = await metadata.update(lambda image: create_topics(image, config, [wanted]))
    if created.error is not None and created.error.code is not ErrorCode.TOPIC_ALREADY_EXISTS:
        raise created.error


def _internal(
    name: str, config: BrokerConfig, brokers: int, prefix: str, configs: dict[str, str]
) -> NewTopic:
    num_partitions = config.value(f"{prefix}.num.partitions")
    replication_factor = config.value(f"{prefix}.replication.factor")
    if not isinstance(num_partitions, int) or not isinstance(replication_factor, int):
        raise TypeError(f"{prefix}.num.partitions and {prefix}.replication.factor are integers")
    return NewTopic(name, num_partitions, min(replication_factor, brokers), configs=tuple(configs.items()))
