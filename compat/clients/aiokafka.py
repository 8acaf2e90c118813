"""aiokafka, on an event loop of its own that runs while a method is called."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from compat.story import Adapter, ClientMissing, InRecord, OutRecord, Start, Traits, wait_until

TIMEOUT_S = 20.0

TRAITS = Traits()


def connect(bootstrap: str) -> Adapter:
    try:
        import aiokafka
    except ImportError as missing:
        raise ClientMissing("aiokafka is not installed: pip install aiokafka") from missing
    return Aiokafka(aiokafka, bootstrap)


class Aiokafka:
    name = "aiokafka"
    traits = TRAITS

    def __init__(self, library: Any, bootstrap: str) -> None:
        from aiokafka import admin

        self._library = library
        self._bootstrap = bootstrap
        self._admin_module: Any = admin
        self._runner = asyncio.Runner()
        self._admin = self._runner.run(self._start_admin())

    async def _start_admin(self) -> Any:
        client = self._admin_module.AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await client.start()
        return client

    def version(self) -> str:
        return str(self._library.__version__)

    def create_topic(self, topic: str, partitions: int) -> None:
        wanted = self._admin_module.NewTopic(topic, partitions, 1)
        answer = self._runner.run(self._admin.create_topics([wanted]))
        self._raise_first((error[1] for error in answer.topic_errors), topic)
        wait_until(lambda: topic in self.partition_counts(), f"{topic} is known")

    def delete_topic(self, topic: str) -> None:
        answer = self._runner.run(self._admin.delete_topics([topic]))
        self._raise_first((error[1] for error in answer.topic_error_codes), topic)

    def create_partitions(self, topic: str, total: int) -> None:
        self._runner.run(self._admin.create_partitions({topic: self._admin_module.NewPartitions(total)}))

    def partition_counts(self) -> dict[str, int]:
        found = self._runner.run(self._admin.describe_topics())
        return {entry["topic"]: len(entry["partitions"]) for entry in found}

    def topic_config(self, topic: str) -> dict[str, str | None]:
        from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        (answer,) = self._runner.run(self._admin.describe_configs([resource]))
        ((code, _message, _type, _name, entries),) = answer.resources
        self._raise_first([code], topic)
        return {entry[0]: entry[1] for entry in entries}

    def set_topic_config(self, topic: str, values: Mapping[str, str]) -> None:
        from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs=dict(values))
        (answer,) = self._runner.run(self._admin.alter_configs([resource]))
        self._raise_first((entry[0] for entry in answer.resources), topic)

    def _raise_first(self, codes: Any, topic: str) -> None:
        for code in codes:
            if code:
                raise self._library.errors.for_code(code)(topic)

    def produce(
        self, topic: str, partition: int, records: Sequence[OutRecord], *, codec: str, idempotent: bool
    ) -> list[int]:
        return self._runner.run(self._produce(topic, partition, records, codec, idempotent))

    async def _produce(
        self, topic: str, partition: int, records: Sequence[OutRecord], codec: str, idempotent: bool
    ) -> list[int]:
        producer = self._library.AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            compression_type=None if codec == "none" else codec,
            enable_idempotence=idempotent,
            acks="all",
            linger_ms=20,
        )
        await producer.start()
        try:
            pending = [
                await producer.send(
                    topic,
                    key=record.key,
                    value=record.value,
                    headers=list(record.headers),
                    partition=partition,
                    timestamp_ms=record.timestamp_ms,
                )
                for record in records
            ]
            sent = await asyncio.wait_for(asyncio.gather(*pending), TIMEOUT_S)
            return [metadata.offset for metadata in sent]
        finally:
            await producer.stop()

    def fetch(self, topic: str, partition: int, start: Start, count: int) -> list[InRecord]:
        return self._runner.run(asyncio.wait_for(self._fetch(topic, partition, start, count), TIMEOUT_S))

    async def _fetch(self, topic: str, partition: int, start: Start, count: int) -> list[InRecord]:
        consumer = self._library.AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, group_id=None, auto_offset_reset="none"
        )
        await consumer.start()
        try:
            place = self._library.TopicPartition(topic, partition)
            consumer.assign([place])
            if start.timestamp_ms is not None:
                found = await consumer.offsets_for_times({place: start.timestamp_ms})
                consumer.seek(place, found[place].offset)
            elif start.offset is not None:
                consumer.seek(place, start.offset)
            else:
                await consumer.seek_to_beginning(place)
            got: list[InRecord] = []
            while len(got) < count:
                record = await consumer.getone()
                got.append(
                    InRecord(record.offset, record.key, record.value, tuple(record.headers), record.timestamp)
                )
            return got
        finally:
            await consumer.stop()

    def close(self) -> None:
        self._runner.run(self._admin.close())
        self._runner.close()
