"""kafka-python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from compat.members import python_member
from compat.story import Adapter, ClientMissing, InRecord, Member, OutRecord, Start, Traits

TIMEOUT_S = 60.0

TRAITS = Traits(
    sends_null_headers=False,
    lacks={
        "consuming-recreated": "a running consumer gets none of the records of the new topic within 45 s, "
        "on Apache Kafka as on kstream"
    },
    gaps={"null headers": "kafka-python's send() takes only bytes as a header's value"},
)


def connect(bootstrap: str) -> Adapter:
    try:
        import kafka
    except ImportError as missing:
        raise ClientMissing("kafka-python is not installed: pip install kafka-python") from missing
    return KafkaPython(kafka, bootstrap)


class KafkaPython:
    name = "kafka-python"
    traits = TRAITS

    def __init__(self, library: Any, bootstrap: str) -> None:
        self._library = library
        self._bootstrap = bootstrap
        self._producers: dict[str, Any] = {}
        self._admin = library.KafkaAdminClient(bootstrap_servers=bootstrap)

    def version(self) -> str:
        return str(self._library.__version__)

    def create_topic(self, topic: str, partitions: int, configs: Mapping[str, str] | None = None) -> None:
        self._admin.create_topics(
            {topic: {"num_partitions": partitions, "replication_factor": 1, "configs": dict(configs or {})}}
        )

    def delete_topic(self, topic: str) -> None:
        self._admin.delete_topics([topic])

    def create_partitions(self, topic: str, total: int) -> None:
        self._admin.create_partitions({topic: total})

    def partition_counts(self) -> dict[str, int]:
        return {found["name"]: len(found["partitions"]) for found in self._admin.describe_topics()}

    def topic_config(self, topic: str) -> dict[str, str | None]:
        from kafka.admin import ConfigResource

        found = self._admin.describe_configs([ConfigResource("TOPIC", topic)], config_filter="all")
        return {name: entry["value"] for name, entry in found["topic"][topic].items()}

    def set_topic_config(self, topic: str, values: Mapping[str, str]) -> None:
        from kafka.admin import ConfigResource

        answer = self._admin.alter_configs([ConfigResource("TOPIC", topic, configs=dict(values))])
        if answer["topic"][topic] != "OK":
            raise RuntimeError(f"AlterConfigs of {topic}: {answer['topic'][topic]}")

    def produce(
        self, topic: str, partition: int, records: Sequence[OutRecord], *, codec: str, idempotent: bool
    ) -> list[int]:
        producer = self._producer(
            f"{codec} {idempotent}",
            compression_type=None if codec == "none" else codec,
            enable_idempotence=idempotent,
        )
        return [
            sent.get(timeout=TIMEOUT_S).offset for sent in self._send(producer, topic, partition, records)
        ]

    def _producer(self, name: str, **settings: Any) -> Any:
        if name not in self._producers:
            self._producers[name] = self._library.KafkaProducer(
                bootstrap_servers=self._bootstrap, acks="all", linger_ms=20, **settings
            )
        return self._producers[name]

    def _send(self, producer: Any, topic: str, partition: int, records: Sequence[OutRecord]) -> list[Any]:
        return [
            producer.send(
                topic,
                key=record.key,
                value=record.value,
                headers=list(record.headers),
                partition=partition,
                timestamp_ms=record.timestamp_ms,
            )
            for record in records
        ]

    def transact(
        self,
        topic: str,
        partition: int,
        records: Sequence[OutRecord],
        *,
        transactional_id: str,
        commit: bool,
    ) -> None:
        is_new = transactional_id not in self._producers
        producer = self._producer(transactional_id, transactional_id=transactional_id)
        if is_new:
            producer.init_transactions()
        producer.begin_transaction()
        for sent in self._send(producer, topic, partition, records):
            sent.get(timeout=TIMEOUT_S)
        if commit:
            producer.commit_transaction()
        else:
            producer.abort_transaction()

    def fetch(
        self, topic: str, partition: int, start: Start, count: int, *, committed: bool = False
    ) -> list[InRecord]:
        consumer = self._library.KafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=None,
            auto_offset_reset="none",
            isolation_level="read_committed" if committed else "read_uncommitted",
            consumer_timeout_ms=int(TIMEOUT_S * 1000),
        )
        try:
            place = self._library.TopicPartition(topic, partition)
            consumer.assign([place])
            if start.timestamp_ms is not None:
                consumer.seek(place, consumer.offsets_for_times({place: start.timestamp_ms})[place].offset)
            elif start.offset is not None:
                consumer.seek(place, start.offset)
            else:
                consumer.seek_to_beginning(place)
            got: list[InRecord] = []
            for record in consumer:
                got.append(
                    InRecord(record.offset, record.key, record.value, tuple(record.headers), record.timestamp)
                )
                if len(got) == count:
                    return got
            raise TimeoutError(f"{len(got)} of {count} records within {TIMEOUT_S:.0f} s")
        finally:
            consumer.close()

    def join(self, topic: str, group: str) -> Member:
        return python_member(self.name, self._bootstrap, topic, group)

    def close(self) -> None:
        for producer in self._producers.values():
            producer.close()
        self._admin.close()
