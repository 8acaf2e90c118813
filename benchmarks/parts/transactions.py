"""Transactions of one producer, each committed before the next begins."""

from __future__ import annotations

import time
import uuid

from confluent_kafka import Producer

from benchmarks.goals import Times
from benchmarks.part import Measure, Part, Turn, Values

_SIZE = 1024
_SMALL = 1_000
_LARGE = 300
_PARTITIONS = 5
_TIMEOUT_S = 60.0


def transactions(turn: Turn) -> Values:
    """One record each, then a hundred records over five partitions each."""
    with turn.topic(partitions=_PARTITIONS) as topic:
        producer = Producer(
            {"bootstrap.servers": turn.bootstrap, "transactional.id": f"bench-{uuid.uuid4()}", "linger.ms": 0}
        )
        producer.init_transactions(_TIMEOUT_S)
        one, many = turn.scale.at_most(_SMALL), turn.scale.at_most(_LARGE)
        small = turn.on_server("transactions-1", lambda: _rate(producer, topic, one, 1))
        large = turn.on_server("transactions-100", lambda: _rate(producer, topic, many, 100))
    return {"transactions-1": small, "transactions-100": large}


def _rate(producer: Producer, topic: str, count: int, records: int) -> float:
    """Transactions a second."""
    value = bytes(_SIZE)
    began_s = time.perf_counter()
    for _ in range(count):
        producer.begin_transaction()
        for number in range(records):
            producer.produce(topic, value, partition=number % _PARTITIONS)
        producer.commit_transaction(_TIMEOUT_S)
    return count / (time.perf_counter() - began_s)


PARTS = [
    Part(
        name="transactions",
        doc="Transactions of one librdkafka producer: one record each, and 100 over 5 partitions each",
        measures=(
            Measure("transactions-1", "transactions/s", True, goals=(Times(2.0, "kafka"),)),
            Measure("transactions-100", "transactions/s", True, goals=(Times(2.0, "kafka"),)),
        ),
        run=transactions,
        rounds=3,
        not_for={"tansu": "was not compared"},
    ),
]
