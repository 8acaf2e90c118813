"""Writing to a topic of a running cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from kstream.replay.clients import new_producer
from kstream.replay.errors import NoAnswer, Refused, ReplayError
from kstream.replay.event import Event
from kstream.replay.reaching import check_reachable

_ASK_S = 15.0
_MESSAGE_BYTES_MAX = 1_000_000_000  # the broker is the one to refuse


class TopicTarget:
    """A topic, created if it is not there. Every record is acknowledged by all replicas before `flush`
    returns.

    Events keep their partition, or go where `partitioner` sends their key if they have none. `settings` are
    librdkafka's. Raises `ReplayError`.
    """

    def __init__(self, bootstrap: str, topic: str, *, settings: Mapping[str, Any] | None = None) -> None:
        check_reachable(bootstrap, settings)
        self._bootstrap = bootstrap
        self._topic = topic
        self._settings = dict(settings or {})
        self._producer = new_producer(producer_settings(bootstrap, self._settings))
        self._failure: KafkaError | None = None
        self.zero_timestamps = 0
        """Records whose timestamp was 0: librdkafka takes that for none, and gives them the present time."""

    def prepare(self, partition_count: Callable[[], int | None]) -> None:
        try:
            found = self._producer.list_topics(timeout=_ASK_S).topics.get(self._topic)
        except KafkaException as error:
            raise NoAnswer(self._bootstrap, error.args[0].str()) from None
        count = partition_count()
        if found is None:
            self._create(count)
        elif count is not None and len(found.partitions) < count:
            raise ReplayError(
                f"{self._topic} has {len(found.partitions)} partitions and the source {count}:"
                " choose partitions anew with --partition-by key, or put all into one with --partition 0"
            )

    def write(self, event: Event) -> None:
        if event.timestamp_ms == 0:
            self.zero_timestamps += 1
        arguments: dict[str, Any] = {} if event.timestamp_ms < 0 else {"timestamp": event.timestamp_ms}
        if event.partition is not None:
            arguments["partition"] = event.partition
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    value=event.value,
                    key=event.key,
                    headers=list(event.headers) or None,
                    on_delivery=self._delivered,
                    **arguments,
                )
                break
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise ReplayError(f"cannot write to {self._topic}: {error.args[0].str()}") from None
        self._producer.poll(0)
        self._check()

    def flush(self) -> None:
        while self._producer.flush(1.0):
            self._check()
        self._check()

    def size_bytes(self) -> int | None:
        return None

    def close(self) -> None:
        self._producer.purge()
        self._producer.flush(1.0)

    def _create(self, partition_count: int | None) -> None:
        """With as many partitions as the source has, else as the broker thinks fit."""
        admin = AdminClient({"bootstrap.servers": self._bootstrap, "log_level": 0, **self._settings})
        topic = NewTopic(self._topic, num_partitions=-1 if partition_count is None else partition_count)
        try:
            admin.create_topics([topic], request_timeout=_ASK_S)[self._topic].result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise Refused(f"cannot create {self._topic}: {error.args[0].str()}") from None

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and self._failure is None:
            self._failure = error

    def _check(self) -> None:
        if self._failure is not None:
            raise Refused(f"a record did not reach {self._topic}: {self._failure.str()}")


def producer_settings(bootstrap: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A producer that loses nothing and sends a key where Java's clients would."""
    return {
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "linger.ms": 20,
        "message.max.bytes": _MESSAGE_BYTES_MAX,
        "partitioner": "murmur2_random",
        "log_level": 0,
        **settings,
    }
