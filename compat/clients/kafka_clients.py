"""kafka-clients: Apache Kafka's Java client, in a JVM that takes requests by the line (`java/Story.java`)."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from compat.kafka_jars import KafkaUnavailable, java, kafka_jars
from compat.story import Adapter, ClientMissing, InRecord, OutRecord, Start, Traits, wait_until

TRAITS = Traits()
_SOURCE = Path(__file__).parent / "java" / "Story.java"


def connect(bootstrap: str) -> Adapter:
    try:
        command = [java(), "-Xmx256m", "-cp", f"{kafka_jars()}/*", str(_SOURCE), bootstrap]
    except KafkaUnavailable as missing:
        raise ClientMissing(str(missing)) from missing
    return KafkaClients(command)


class KafkaClients:
    name = "kafka-clients"
    traits = TRAITS

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def _ask(self, do: str, **arguments: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:  # `java -cp 'jars/*' Story.java HOST:PORT` says why
            raise RuntimeError(f"the JVM ended with exit code {self._process.wait()} at {do}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{do}: {answer['error']}")
        return answer["result"]

    def version(self) -> str:
        return str(self._ask("version"))

    def create_topic(self, topic: str, partitions: int) -> None:
        self._ask("create_topic", topic=topic, partitions=partitions)
        wait_until(lambda: topic in self.partition_counts(), f"{topic} is known")

    def delete_topic(self, topic: str) -> None:
        self._ask("delete_topic", topic=topic)

    def create_partitions(self, topic: str, total: int) -> None:
        self._ask("create_partitions", topic=topic, total=total)

    def partition_counts(self) -> dict[str, int]:
        counts: dict[str, int] = self._ask("partition_counts")
        return counts

    def topic_config(self, topic: str) -> dict[str, str | None]:
        values: dict[str, str | None] = self._ask("topic_config", topic=topic)
        return values

    def set_topic_config(self, topic: str, values: Mapping[str, str]) -> None:
        self._ask("set_topic_config", topic=topic, values=dict(values))

    def produce(
        self, topic: str, partition: int, records: Sequence[OutRecord], *, codec: str, idempotent: bool
    ) -> list[int]:
        sent = [
            {
                "key": _text(record.key),
                "value": _text(record.value),
                "headers": [[name, _text(value)] for name, value in record.headers],
                "timestamp_ms": record.timestamp_ms,
            }
            for record in records
        ]
        offsets: list[int] = self._ask(
            "produce", topic=topic, partition=partition, records=sent, codec=codec, idempotent=idempotent
        )
        return offsets

    def fetch(self, topic: str, partition: int, start: Start, count: int) -> list[InRecord]:
        got = self._ask(
            "fetch",
            topic=topic,
            partition=partition,
            offset=start.offset,
            timestamp_ms=start.timestamp_ms,
            count=count,
        )
        return [
            InRecord(
                record["offset"],
                _bytes(record["key"]),
                _bytes(record["value"]),
                tuple((name, _bytes(value)) for name, value in record["headers"]),
                record["timestamp_ms"],
            )
            for record in got
        ]

    def close(self) -> None:
        self._process.communicate()


def _text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
