"""Doubles numbers exactly once, with confluent-kafka; `compat/programs/README.md` says what it owes.

python -m compat.exactly_once.confluent_application HOST:PORT SOURCE TARGET GROUP ID
"""

from __future__ import annotations

import sys

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from compat.exactly_once.traffic import WAIT_S, quiet

_BATCH_RECORDS = 25
_FIRST_OFFSET = 0


def main(bootstrap: str, source: str, target: str, group: str, application_id: str) -> None:
    """Until it is killed, or cannot go on: then its supervisor starts another one, which fences this one."""
    shared = quiet(bootstrap)
    producer = Producer({**shared, "transactional.id": application_id, "transaction.timeout.ms": 10_000})
    producer.init_transactions(WAIT_S)
    consumer = Consumer(
        {
            **shared,
            "group.id": group,
            "group.instance.id": application_id,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 500,
        }
    )
    consumer.subscribe([source])
    while True:
        messages = [each for each in consumer.consume(_BATCH_RECORDS, 0.2) if each.error() is None]
        if messages:
            _transform(consumer, producer, messages, target)


def _transform(consumer: Consumer, producer: Producer, messages: list[Message], target: str) -> None:
    """Write what has come, doubled, in one transaction with the positions. Raises KafkaException."""
    producer.begin_transaction()
    try:
        following: dict[tuple[str, int], int] = {}
        for message in messages:
            value, topic, partition, offset = (
                message.value(),
                message.topic(),
                message.partition(),
                message.offset(),
            )
            assert value is not None
            assert topic is not None
            assert partition is not None
            assert offset is not None
            producer.produce(target, str(2 * int(value)), partition=partition)
            following[topic, partition] = offset + 1
        positions = [TopicPartition(*where, offset) for where, offset in following.items()]
        producer.send_offsets_to_transaction(positions, consumer.consumer_group_metadata(), WAIT_S)
        _commit(producer)
        print(f"committed {len(messages)}", flush=True)
    except KafkaException as error:
        if not error.args[0].txn_requires_abort():
            raise
        print(f"aborted: {error}", flush=True)
        producer.abort_transaction(WAIT_S)
        for position in consumer.committed(consumer.assignment(), WAIT_S):
            position.offset = max(position.offset, _FIRST_OFFSET)
            consumer.seek(position)


def _commit(producer: Producer) -> None:
    while True:
        try:
            producer.commit_transaction(WAIT_S)
            return
        except KafkaException as error:
            if not error.args[0].retriable():
                raise
            print(f"commit again: {error}", flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KafkaException as error:
        print(f"failed: {error}", flush=True)
        sys.exit(1)
