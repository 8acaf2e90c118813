"""confluent-kafka: librdkafka from Python."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from compat.members import python_member
from compat.story import Adapter, ClientMissing, InRecord, Member, OutRecord, Start, Traits

TIMEOUT_S = 60.0

TRAITS = Traits()


def connect(bootstrap: str) -> Adapter:
    try:
        import confluent_kafka
    except ImportError as missing:
        raise ClientMissing("confluent-kafka is not installed: pip install confluent-kafka") from missing
    return ConfluentKafka(confluent_kafka, bootstrap)


class ConfluentKafka:
    name = "confluent-kafka"
    traits = TRAITS

    def __init__(self, library: Any, bootstrap: str) -> None:
        self._library = library
        self._bootstrap = bootstrap
        quiet = logging.getLogger(__name__)  # what goes wrong is raised; librdkafka tells of every reconnect
        quiet.propagate = False
        quiet.addHandler(logging.NullHandler())
        self._common: dict[str, Any] = {"bootstrap.servers": bootstrap, "logger": quiet}
        self._producers: dict[str, Any] = {}
        from confluent_kafka import admin

        self._admin_module: Any = admin
        self._admin = admin.AdminClient(dict(self._common))

    def version(self) -> str:
        return f"{self._library.version()}, librdkafka {self._library.libversion()[0]}"

    def create_topic(self, topic: str, partitions: int, configs: Mapping[str, str] | None = None) -> None:
        wanted = self._admin_module.NewTopic(
            topic, num_partitions=partitions, replication_factor=1, config=dict(configs or {})
        )
        self._admin.create_topics([wanted])[topic].result(TIMEOUT_S)

    def delete_topic(self, topic: str) -> None:
        self._admin.delete_topics([topic])[topic].result(TIMEOUT_S)

    def create_partitions(self, topic: str, total: int) -> None:
        wanted = self._admin_module.NewPartitions(topic, total)
        self._admin.create_partitions([wanted])[topic].result(TIMEOUT_S)

    def partition_counts(self) -> dict[str, int]:
        listed = self._admin.list_topics(timeout=TIMEOUT_S).topics
        return {name: len(found.partitions) for name, found in listed.items()}

    def topic_config(self, topic: str) -> dict[str, str | None]:
        resource = self._admin_module.ConfigResource(self._admin_module.ConfigResource.Type.TOPIC, topic)
        found = self._admin.describe_configs([resource])[resource].result(TIMEOUT_S)
        return {name: entry.value for name, entry in found.items()}

    def set_topic_config(self, topic: str, values: Mapping[str, str]) -> None:
        module = self._admin_module
        resource = module.ConfigResource(
            module.ConfigResource.Type.TOPIC,
            topic,
            incremental_configs=[
                module.ConfigEntry(name, value, incremental_operation=module.AlterConfigOpType.SET)
                for name, value in values.items()
            ],
        )
        self._admin.incremental_alter_configs([resource])[resource].result(TIMEOUT_S)

    def produce(
        self, topic: str, partition: int, records: Sequence[OutRecord], *, codec: str, idempotent: bool
    ) -> list[int]:
        producer = self._producer(
            f"{codec} {idempotent}", {"compression.type": codec, "enable.idempotence": idempotent}
        )
        return self._send(producer, topic, partition, records)

    def _producer(self, name: str, settings: Mapping[str, object]) -> Any:
        if name not in self._producers:
            self._producers[name] = self._library.Producer(
                {**self._common, "acks": "all", "linger.ms": 20, **settings}
            )
        return self._producers[name]

    def _send(self, producer: Any, topic: str, partition: int, records: Sequence[OutRecord]) -> list[int]:
        offsets: list[int] = []

        def delivered(error: Any, message: Any) -> None:
            if error is not None:
                raise self._library.KafkaException(error)
            offsets.append(message.offset())

        for record in records:
            producer.produce(
                topic,
                key=record.key,
                value=record.value,
                headers=list(record.headers),
                partition=partition,
                timestamp=record.timestamp_ms,
                on_delivery=delivered,
            )
        unsent = producer.flush(TIMEOUT_S)
        if unsent:
            raise TimeoutError(f"{unsent} records were not acknowledged within {TIMEOUT_S:.0f} s")
        return offsets

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
        producer = self._producer(transactional_id, {"transactional.id": transactional_id})
        if is_new:
            producer.init_transactions(TIMEOUT_S)
        producer.begin_transaction()
        self._send(producer, topic, partition, records)
        if commit:
            producer.commit_transaction(TIMEOUT_S)
        else:
            producer.abort_transaction(TIMEOUT_S)

    def fetch(
        self, topic: str, partition: int, start: Start, count: int, *, committed: bool = False
    ) -> list[InRecord]:
        library = self._library
        # librdkafka wants a group's name even where it only assigns; it never joins the group.
        consumer = library.Consumer(
            {
                **self._common,
                "group.id": "unused",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed" if committed else "read_uncommitted",
            }
        )
        try:
            place = library.TopicPartition(topic, partition, library.OFFSET_BEGINNING)
            if start.timestamp_ms is not None:
                place.offset = start.timestamp_ms
                (place,) = consumer.offsets_for_times([place], timeout=TIMEOUT_S)
            elif start.offset is not None:
                place.offset = start.offset
            consumer.assign([place])
            got: list[InRecord] = []
            while len(got) < count:
                message = consumer.poll(TIMEOUT_S)
                if message is None:
                    raise TimeoutError(f"{len(got)} of {count} records within {TIMEOUT_S:.0f} s")
                if message.error() is not None:
                    raise library.KafkaException(message.error())
                got.append(
                    InRecord(
                        message.offset(),
                        message.key(),
                        message.value(),
                        tuple(message.headers() or ()),
                        message.timestamp()[1],
                    )
                )
            return got
        finally:
            consumer.close()

    def join(self, topic: str, group: str) -> Member:
        return python_member(self.name, self._bootstrap, topic, group)

    def close(self) -> None:
        """Nothing to do: its handles close when they are collected."""
