"""aiokafka, on an event loop of its own that runs while a method is called."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from compat.members import python_member
from compat.story import Adapter, ClientMissing, InRecord, Member, OutRecord, Start, Traits

TIMEOUT_S = 60.0

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
        self._producers: dict[str, Any] = {}
        self._runner = asyncio.Runner()
        self._admin = self._runner.run(self._start_admin())

    async def _start_admin(self) -> Any:
        client = self._admin_module.AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await client.start()
        return client

    def version(self) -> str:
        return str(self._library.__version__)

    def create_topic(self, topic: str, partitions: int, configs: Mapping[str, str] | None = None) -> None:
        wanted = self._admin_module.NewTopic(topic, partitions, 1, topic_configs=dict(configs or {}))
        answer = self._runner.run(self._admin.create_topics([wanted]))
        self._raise_first((error[1] for error in answer.topic_errors), topic)

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
        producer = await self._producer(
            f"{codec} {idempotent}",
            compression_type=None if codec == "none" else codec,
            enable_idempotence=idempotent,
        )
        return await self._send(producer, topic, partition, records)

    async def _producer(self, name: str, **settings: Any) -> Any:
        if name not in self._producers:
            made = self._library.AIOKafkaProducer(
                bootstrap_servers=self._bootstrap, acks="all", linger_ms=20, **settings
            )
            await made.start()
            self._producers[name] = made
        return self._producers[name]

    async def _send(
        self, producer: Any, topic: str, partition: int, records: Sequence[OutRecord]
    ) -> list[int]:
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

    def transact(
        self,
        topic: str,
        partition: int,
        records: Sequence[OutRecord],
        *,
        transactional_id: str,
        commit: bool,
    ) -> None:
        async def run() -> None:
            producer = await self._producer(transactional_id, transactional_id=transactional_id)
            await producer.begin_transaction()
            await self._send(producer, topic, partition, records)
            await (producer.commit_transaction() if commit else producer.abort_transaction())

        self._runner.run(run())

    def fetch(
        self, topic: str, partition: int, start: Start, count: int, *, committed: bool = False
    ) -> list[InRecord]:
        return self._runner.run(
            asyncio.wait_for(self._fetch(topic, partition, start, count, committed), TIMEOUT_S)
        )

    async def _fetch(
        self, topic: str, partition: int, start: Start, count: int, committed: bool
    ) -> list[InRecord]:
        consumer = self._library.AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=None,
            auto_offset_reset="none",
            isolation_level="read_committed" if committed else "read_uncommitted",
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

    def join(self, topic: str, group: str) -> Member:
        return python_member(self.name, self._bootstrap, topic, group)

    def close(self) -> None:
        for producer in self._producers.values():
            self._runner.run(producer.stop())
        self._runner.run(self._admin.close())
        self._runner.close()
