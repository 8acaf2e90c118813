"""The first records of a new cluster, in Apache Kafka 4.4.0's order, and a broker's registration at each
start.

A single Kafka node writes: the leader change; in one transaction the feature levels and, since eligible
leader replicas need it (KIP-966), the cluster-wide `min.insync.replicas`; its controller's registration;
its broker's registration, fenced, and then the change that unfences it. kstream has no controller process
to register.
"""

from __future__ import annotations

from collections.abc import Sequence

from kstream.broker.metadata.features import ELIGIBLE_LEADER_REPLICAS, INITIAL_FEATURES, SUPPORTED_FEATURES
from kstream.broker.metadata.image import BrokerImage, MetadataImage, ResourceType
from kstream.config.broker import BrokerConfig
from kstream.records.schemas.control import LeaderChangeMessage, LeaderChangeMessageVoter
from kstream.records.schemas.metadata import (
    BeginTransactionRecord,
    BrokerEndpoint,
    BrokerFeature,
    BrokerRegistrationChangeRecord,
    ConfigRecord,
    EndTransactionRecord,
    FeatureLevelRecord,
    RegisterBrokerRecord,
)
from kstream.wire.schema import Message
from kstream.wire.uuids import random_uuid

FIRST_LEADER_EPOCH = 1
MIN_INSYNC_REPLICAS = "min.insync.replicas"

_SECURITY_PROTOCOLS = {"PLAINTEXT": 0, "SSL": 1, "SASL_PLAINTEXT": 2, "SASL_SSL": 3}
_UNFENCE = -1
_PORT_MAX = 65535


def leader_change(node_id: int) -> LeaderChangeMessage:
    """The control record that opens a leader's epoch; a quorum of one votes for itself."""
    voter = LeaderChangeMessageVoter(voter_id=node_id)
    return LeaderChangeMessage(leader_id=node_id, voters=[voter], granting_voters=[voter])


def bootstrap_records(config: BrokerConfig, formatted: Sequence[Message] = ()) -> list[Message]:
    """What a cluster is before it has a broker: what `kafka-storage format` wrote, or our own levels."""
    records: list[Message] = [BeginTransactionRecord(name="Bootstrap records")]
    levels = dict(INITIAL_FEATURES)
    if formatted:
        records += formatted
        levels = {each.name: each.feature_level for each in formatted if isinstance(each, FeatureLevelRecord)}
    else:
        records += [FeatureLevelRecord(name=name, feature_level=level) for name, level in levels.items()]
    if levels.get(ELIGIBLE_LEADER_REPLICAS):
        records.append(
            ConfigRecord(
                resource_type=ResourceType.BROKER,
                resource_name="",
                name=MIN_INSYNC_REPLICAS,
                value=str(config.min_insync_replicas),
            )
        )
    records.append(EndTransactionRecord())
    return records


def registration_records(
    image: MetadataImage, config: BrokerConfig, directory_id: bytes, *, broker_epoch: int
) -> list[Message]:
    """Register this broker, unless it is registered as it is now.

    `broker_epoch` is the offset that the first of these records will get, as in Kafka.
    """
    endpoints = tuple(
        (
            listener.name,
            listener.host,
            max(0, min(listener.port, _PORT_MAX)),
            _security_protocol(listener.security_protocol),
        )
        for listener in config.advertised_listeners or config.bound_listeners or config.listeners
    )
    registered = image.brokers.get(config.node_id)
    if registered is not None and _is_same(registered, endpoints, config.broker_rack, directory_id):
        return []
    return [
        RegisterBrokerRecord(
            broker_id=config.node_id,
            incarnation_id=random_uuid(),
            broker_epoch=broker_epoch,
            end_points=[
                BrokerEndpoint(name=name, host=host, port=port, security_protocol=protocol)
                for name, host, port, protocol in endpoints
            ],
            features=[
                BrokerFeature(name=name, min_supported_version=low, max_supported_version=high)
                for name, (low, high) in SUPPORTED_FEATURES.items()
            ],
            rack=config.broker_rack,
            fenced=True,
            log_dirs=[directory_id],
        ),
        BrokerRegistrationChangeRecord(broker_id=config.node_id, broker_epoch=broker_epoch, fenced=_UNFENCE),
    ]


def _is_same(
    broker: BrokerImage,
    endpoints: tuple[tuple[str, str, int, int], ...],
    rack: str | None,
    directory_id: bytes,
) -> bool:
    return (
        not broker.is_fenced
        and broker.endpoints == endpoints
        and broker.rack == rack
        and broker.log_dirs == (directory_id,)
    )


def _security_protocol(name: str) -> int:
    return _SECURITY_PROTOCOLS.get(name, 0)
