"""A client of another language behind the story: a program that is asked by the line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from compat.line_process import LineProcess, bytes_of, text_of
from compat.members import MemberProcess
from compat.story import InRecord, Member, OutRecord, Start, Traits


class Remote:
    """The program of `command` with the server's address for its last argument, started at once."""

    def __init__(self, name: str, traits: Traits, command: Sequence[str], bootstrap: str) -> None:
        self.name = name
        self.traits = traits
        self._command = command
        self._bootstrap = bootstrap
        self._process = LineProcess([*command, bootstrap])

    def version(self) -> str:
        return str(self._process.ask("version"))

    def create_topic(self, topic: str, partitions: int, configs: Mapping[str, str] | None = None) -> None:
        self._process.ask("create_topic", topic=topic, partitions=partitions, configs=dict(configs or {}))

    def delete_topic(self, topic: str) -> None:
        self._process.ask("delete_topic", topic=topic)

    def create_partitions(self, topic: str, total: int) -> None:
        self._process.ask("create_partitions", topic=topic, total=total)

    def partition_counts(self) -> dict[str, int]:
        counts: dict[str, int] = self._process.ask("partition_counts")
        return counts

    def topic_config(self, topic: str) -> dict[str, str | None]:
        values: dict[str, str | None] = self._process.ask("topic_config", topic=topic)
        return values

    def set_topic_config(self, topic: str, values: Mapping[str, str]) -> None:
        self._process.ask("set_topic_config", topic=topic, values=dict(values))

    def produce(
        self, topic: str, partition: int, records: Sequence[OutRecord], *, codec: str, idempotent: bool
    ) -> list[int] | None:
        offsets: list[int] | None = self._process.ask(
            "produce",
            topic=topic,
            partition=partition,
            records=[sent(record) for record in records],
            codec=codec,
            idempotent=idempotent,
        )
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
        self._process.ask(
            "transact",
            topic=topic,
            partition=partition,
            records=[sent(record) for record in records],
            transactional_id=transactional_id,
            commit=commit,
        )

    def fetch(
        self, topic: str, partition: int, start: Start, count: int, *, committed: bool = False
    ) -> list[InRecord]:
        got = self._process.ask(
            "fetch",
            topic=topic,
            partition=partition,
            offset=start.offset,
            timestamp_ms=start.timestamp_ms,
            count=count,
            committed=committed,
        )
        return [InRecord(record["offset"], *received(record)) for record in got]

    def join(self, topic: str, group: str) -> Member:
        return MemberProcess(self._command, self._bootstrap, topic, group)

    def close(self) -> None:
        self._process.close()


def sent(record: OutRecord | InRecord) -> dict[str, object]:
    """A record as it travels, without its offset."""
    return {
        "key": text_of(record.key),
        "value": text_of(record.value),
        "headers": [[name, text_of(value)] for name, value in record.headers],
        "timestamp_ms": record.timestamp_ms,
    }


def received(record: Mapping[str, Any]) -> OutRecord:
    """A record that travelled."""
    return OutRecord(
        bytes_of(record["key"]),
        bytes_of(record["value"]),
        tuple((name, bytes_of(value)) for name, value in record["headers"]),
        record["timestamp_ms"],
    )
