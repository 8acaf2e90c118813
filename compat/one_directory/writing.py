"""What a turn adds to the directory: something of everything that lies there."""

from __future__ import annotations

import time
from collections.abc import Set
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from compat.one_directory.asking import Asking
from kstream.errors import ErrorCode
from kstream.records.builder import build_batch
from kstream.wire.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasRequestEntryData,
    EntityData,
    OpData,
)
from kstream.wire.messages.alter_share_group_offsets import (
    AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsRequestPartition,
    AlterShareGroupOffsetsRequestTopic,
)
from kstream.wire.messages.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    ScramCredentialUpsertion,
)
from kstream.wire.messages.create_acls import AclCreation, CreateAclsRequest
from kstream.wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from kstream.wire.messages.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from kstream.wire.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from kstream.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from kstream.wire.messages.init_producer_id import InitProducerIdRequest
from kstream.wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from kstream.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from kstream.wire.messages.share_group_heartbeat import ShareGroupHeartbeatRequest
from kstream.wire.uuids import format_uuid

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
COMPACTED, SHORT, TRIMMED, EXACT, NUMBERED = "compacted", "short", "trimmed", "exact", "numbered"
GROUPS = {"readers": "classic", "readers-848": "consumer"}
"""Group to its protocol."""

_TIMEOUT_MS = 30_000
_TIMEOUT_S = 60.0
_TOPIC, _DEFAULT_BROKER, _CLIENT_METRICS, _GROUP = 2, 4, 16, 32
_CLEANED = {
    "cleanup.policy": "compact",
    "segment.ms": "50",
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": "0",
}
_SHORT = {"retention.bytes": "1500000", "segment.bytes": "1048576", "file.delete.delay.ms": "0"}


class Writing:
    """Writes to whichever server has its turn, and remembers what the next one must go on from."""

    def __init__(self) -> None:
        self.positions: dict[str, dict[tuple[str, int], int]] = {group: {} for group in GROUPS}
        """By group and partition, where the group has committed that it will go on."""
        self._producer_id = -1
        self._producer_epoch = 0
        self._sequence = 0
        self._first_ms = int(time.time() * 1000)
        self._last: tuple[bytes, int] | None = None  # batch and its base offset

    def create(self, asking: Asking) -> None:
        """The topics, once."""
        for codec in CODECS:
            _create(asking, f"codec-{codec}", 2, {"segment.ms": "1000"})
        _create(asking, COMPACTED, 1, _CLEANED)
        _create(asking, SHORT, 1, _SHORT)
        _create(asking, TRIMMED, 1, {})
        _create(asking, EXACT, 2, {})
        _create(asking, NUMBERED, 1, {})
        answer = asking(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=0), 4)
        self._producer_id, self._producer_epoch = answer.producer_id, answer.producer_epoch

    def write(self, asking: Asking, bootstrap: str, turn: int, untold: Set[str]) -> None:
        """One turn's worth of everything, but of the kinds that the server does not know."""
        self._metadata(asking, turn)
        if "scram" not in untold:
            _create_user(asking, turn)
        if "acls" not in untold:
            _allow(asking, turn)
        for codec in CODECS:
            _produce(bootstrap, f"codec-{codec}", turn, 200, {"compression.type": codec}, partitions=2)
        _keys(bootstrap, turn)
        # Three times what is kept.
        _produce(bootstrap, SHORT, turn, 450, {}, partitions=1, padding=10_000)
        _produce(bootstrap, TRIMMED, turn, 50, {}, partitions=1)
        self._trim(asking)
        self._transactions(bootstrap, turn)
        self._count_on(asking)
        if "share group" not in untold:
            _share(asking, turn)
        for group, protocol in GROUPS.items():
            if f"{protocol} group" not in untold:
                self._read_on(bootstrap, group, 120)

    def _count_on(self, asking: Asking) -> None:
        """What only a broker that knows the producer's last batch gets right: a repeated, a skipping, and the
        next one.
        """
        if self._last is not None:
            batch, base_offset = self._last
            answer = _produce_batch(asking, batch)
            assert (answer.error_code, answer.base_offset) == (0, base_offset), answer
            skipping = self._numbered(self._sequence + 7)
            assert _produce_batch(asking, skipping).error_code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
        batch = self._numbered(self._sequence)
        answer = _produce_batch(asking, batch)
        assert answer.error_code == 0, answer
        self._sequence += 3
        self._last = batch, answer.base_offset

    def _numbered(self, sequence: int) -> bytes:
        return build_batch(
            [(self._first_ms + sequence + n, None, b"%d" % (sequence + n)) for n in range(3)],
            producer_id=self._producer_id,
            producer_epoch=self._producer_epoch,
            base_sequence=sequence,
        )

    def _read_on(self, bootstrap: str, group: str, count: int) -> None:
        """A stock consumer of a group begins where the group stopped, and commits some way further on."""
        settings = {
            "bootstrap.servers": bootstrap,
            "enable.metrics.push": False,
            "group.id": group,
            "group.protocol": GROUPS[group],
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
        positions = self.positions[group]
        consumer = Consumer(settings)
        try:
            consumer.subscribe([f"codec-{codec}" for codec in CODECS])
            deadline_s = time.monotonic() + _TIMEOUT_S
            while count:
                message = consumer.poll(1.0)
                if message is None:
                    assert time.monotonic() < deadline_s, f"group {group} gets nothing: {positions}"
                    continue
                _raise(message.error())
                key = (str(message.topic()), int(message.partition() or 0))
                offset = int(message.offset() or 0)
                expected = positions.get(key, 0)
                assert offset == expected, f"group {group} goes on at {offset} of {key}, not at {expected}"
                positions[key] = offset + 1
                count -= 1
            consumer.commit(
                offsets=[TopicPartition(*key, offset) for key, offset in positions.items()],
                asynchronous=False,
            )
        finally:
            consumer.close()

    def _metadata(self, asking: Asking, turn: int) -> None:
        _create(asking, f"of-turn-{turn}", 1 + turn % 3, {"retention.ms": str(1_000_000 + turn)})
        if turn:
            gone = [DeleteTopicState(name=f"of-turn-{turn - 1}"), DeleteTopicState(name="again")]
            for result in asking(DeleteTopicsRequest(topics=gone, timeout_ms=_TIMEOUT_MS), 6).responses:
                assert result.error_code == 0, result
            more = CreatePartitionsTopic(name=TRIMMED, count=1 + turn, assignments=None)
            request = CreatePartitionsRequest(topics=[more], timeout_ms=_TIMEOUT_MS)
            assert asking(request, 3).results[0].error_code == 0
        _create(asking, "again", 1, {})
        _configure(
            asking, _TOPIC, EXACT, {"retention.ms": str(10_000_000 + turn), "max.message.bytes": "900000"}
        )
        _configure(asking, _DEFAULT_BROKER, "", {"log.message.timestamp.after.max.ms": str(4_000_000 + turn)})
        _configure(asking, _CLIENT_METRICS, f"metrics-{turn % 2}", {"interval.ms": str(60_000 + turn)})
        _configure(asking, _GROUP, "readers-848", {"consumer.session.timeout.ms": str(46_000 + turn)})
        entries = [
            AlterClientQuotasRequestEntryData(
                entity=[EntityData(entity_type=kind, entity_name=name)],
                ops=[OpData(key=key, value=1e9 + turn)],
            )
            for kind, name, key in (
                ("user", None, "producer_byte_rate"),
                ("client-id", f"client-{turn}", "consumer_byte_rate"),
            )
        ]
        for entry in asking(AlterClientQuotasRequest(entries=entries), 1).entries:
            assert entry.error_code == 0, entry

    def _trim(self, asking: Asking) -> None:
        end = asking.offset(TRIMMED, 0, -1)
        partition = DeleteRecordsPartition(partition_index=0, offset=end - 17)
        topic = DeleteRecordsTopic(name=TRIMMED, partitions=[partition])
        answer = asking(DeleteRecordsRequest(topics=[topic], timeout_ms=_TIMEOUT_MS), 2)
        assert answer.topics[0].partitions[0].low_watermark == end - 17, answer

    def _transactions(self, bootstrap: str, turn: int) -> None:
        producer = Producer(
            {"bootstrap.servers": bootstrap, "enable.metrics.push": False, "transactional.id": "exactly"}
        )
        producer.init_transactions(_TIMEOUT_S)
        for number in range(4):
            producer.begin_transaction()
            for each in range(5):
                producer.produce(EXACT, f"{turn}.{number}.{each}", partition=each % 2)
            if number % 2:
                producer.abort_transaction(_TIMEOUT_S)
            else:
                producer.commit_transaction(_TIMEOUT_S)


def _create(asking: Asking, topic: str, partitions: int, configs: dict[str, str]) -> None:
    wanted = CreatableTopic(
        name=topic,
        num_partitions=partitions,
        replication_factor=1,
        configs=[CreatableTopicConfig(name=name, value=value) for name, value in configs.items()],
    )
    while True:
        (made,) = asking(CreateTopicsRequest(topics=[wanted], timeout_ms=_TIMEOUT_MS), 7).topics
        # Kafka's controller may still have the topic of that name that was just deleted.
        if made.error_code != ErrorCode.TOPIC_ALREADY_EXISTS:
            break
    assert made.error_code == 0, made
    for index in range(partitions):
        asking.offset(topic, index, -1)


def _configure(asking: Asking, kind: int, name: str, values: dict[str, str]) -> None:
    resource = AlterConfigsResource(
        resource_type=kind,
        resource_name=name,
        configs=[AlterableConfig(name=key, config_operation=0, value=value) for key, value in values.items()],
    )
    (result,) = asking(IncrementalAlterConfigsRequest(resources=[resource]), 1).responses
    assert result.error_code == 0, result


def _create_user(asking: Asking, turn: int) -> None:
    user = ScramCredentialUpsertion(
        name=f"user-{turn}", mechanism=1, iterations=4096, salt=b"salt", salted_password=bytes(32)
    )
    (result,) = asking(AlterUserScramCredentialsRequest(deletions=[], upsertions=[user]), 0).results
    assert result.error_code == 0, result


def _share(asking: Asking, turn: int) -> None:
    """Share groups: one that a member was in, and one that an operator moves."""
    topic_id = asking(MetadataRequest(topics=[MetadataRequestTopic(name=EXACT)]), 12).topics[0].topic_id
    asking(FindCoordinatorRequest(coordinator_keys=["crew", "moved"]), 4)
    key = f"crew:{format_uuid(topic_id)}:0"
    asking(FindCoordinatorRequest(key_type=2, coordinator_keys=[key]), 6)
    epoch, has_some = 0, False
    while not has_some:
        beat = ShareGroupHeartbeatRequest(
            group_id="crew", member_id=f"member-{turn}", member_epoch=epoch, subscribed_topic_names=[EXACT]
        )
        answer = asking(beat, 1)
        assert answer.error_code == 0, answer
        epoch, has_some = answer.member_epoch, bool(answer.assignment.topic_partitions)
    gone = ShareGroupHeartbeatRequest(group_id="crew", member_id=f"member-{turn}", member_epoch=-1)
    assert asking(gone, 1).error_code == 0
    place = AlterShareGroupOffsetsRequestPartition(partition_index=turn % 2, start_offset=turn + 1)
    topic = AlterShareGroupOffsetsRequestTopic(topic_name=EXACT, partitions=[place])
    moved = asking(AlterShareGroupOffsetsRequest(group_id="moved", topics=[topic]), 0)
    assert moved.error_code == moved.responses[0].partitions[0].error_code == 0, moved


def _allow(asking: Asking, turn: int) -> None:
    acl = AclCreation(
        resource_type=2,
        resource_name=f"topic-{turn}",
        principal=f"User:user-{turn}",
        host="*",
        operation=3,
        permission_type=3,
    )
    (created,) = asking(CreateAclsRequest(creations=[acl]), 3).results
    assert created.error_code == 0, created


def _produce_batch(asking: Asking, batch: bytes) -> Any:
    data = TopicProduceData(name=NUMBERED, partition_data=[PartitionProduceData(index=0, records=batch)])
    request = ProduceRequest(acks=-1, timeout_ms=_TIMEOUT_MS, topic_data=[data])
    return asking(request, 12).responses[0].partition_responses[0]


def _produce(
    bootstrap: str,
    topic: str,
    turn: int,
    count: int,
    settings: dict[str, str],
    *,
    partitions: int,
    padding: int = 20,
) -> None:
    """Records by an idempotent stock producer, in many batches."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.metrics.push": False,
            "enable.idempotence": True,
            "batch.num.messages": 25,
            **settings,
        }
    )
    failures: list[KafkaError] = []
    for number in range(count):
        producer.produce(
            topic,
            key=f"{turn}",
            value=f"{turn}:{number}:".encode() + b"." * padding,
            partition=number % partitions,
            headers={"turn": str(turn)},
            on_delivery=lambda error, _: failures.append(error) if error is not None else None,
        )
        producer.poll(0)
    assert producer.flush(_TIMEOUT_S) == 0
    assert not failures, failures[:3]


def _keys(bootstrap: str, turn: int) -> None:
    """Few keys again and again, and tombstones; times that go on, so that segments roll."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.metrics.push": False,
            "linger.ms": 0,
            "batch.num.messages": 10,
        }
    )
    first_ms = int(time.time() * 1000) - 60_000
    for number in range(200):
        value = None if number % 13 == 5 else f"{turn}:{number}"
        producer.produce(COMPACTED, key=f"k{number % 17}", value=value, timestamp=first_ms + number * 20)
        if number % 10 == 9:
            assert producer.flush(_TIMEOUT_S) == 0


def _raise(error: KafkaError | None) -> None:
    if error is not None:
        raise KafkaException(error)
