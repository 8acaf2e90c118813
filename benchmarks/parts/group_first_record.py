"""From making a consumer of a group that never was to the first record in hand, by each client."""

from __future__ import annotations

import asyncio
import subprocess
import time
import uuid
from collections.abc import Callable
from statistics import median
from typing import Any

from confluent_kafka import Consumer

from benchmarks.goals import AtMost, Times
from benchmarks.part import Measure, Part, Turn, Values
from compat.builds import built
from compat.story import ClientMissing

_FRESH_GROUPS = 5
_JAVA_WARM = 5
"""Groups that are not counted: the virtual machine compiles what they run."""
_TIMEOUT_S = 60.0


def first_record(turn: Turn) -> Values:
    """Of several groups, the median."""
    count = turn.scale.at_most(_FRESH_GROUPS)
    values = {}
    with turn.topic() as topic:
        turn.load.produce(turn.bootstrap, topic, records=10, size=100)
        for client, taken_ms in _PYTHON.items():
            values[f"group-first-record{client}"] = median(
                taken_ms(turn.bootstrap, topic, f"bench-{uuid.uuid4().hex[:8]}") for _ in range(count)
            )
        for protocol in ("classic", "consumer"):
            found = _java_ms(turn.bootstrap, topic, protocol, count)
            if found:
                values[f"group-first-record-java-{protocol}"] = median(found)
    return values


def _librdkafka_ms(bootstrap: str, topic: str, group: str) -> float:
    began_s = time.perf_counter()
    settings: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "auto.offset.reset": "earliest",
    }
    consumer = Consumer(settings)
    try:
        consumer.subscribe([topic])
        while time.perf_counter() - began_s < _TIMEOUT_S:
            message = consumer.poll(1.0)
            if message is not None and message.error() is None:
                return (time.perf_counter() - began_s) * 1e3
    finally:
        consumer.close()
    raise TimeoutError("no record came")


def _kafka_python_ms(bootstrap: str, topic: str, group: str) -> float:
    from kafka import KafkaConsumer

    began_s = time.perf_counter()
    consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest")
    try:
        while time.perf_counter() - began_s < _TIMEOUT_S:
            if consumer.poll(timeout_ms=1000):
                return (time.perf_counter() - began_s) * 1e3
    finally:
        consumer.close()
    raise TimeoutError("no record came")


def _aiokafka_ms(bootstrap: str, topic: str, group: str) -> float:
    from aiokafka import AIOKafkaConsumer

    async def first() -> float:
        began_s = time.perf_counter()
        consumer = AIOKafkaConsumer(
            topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            await asyncio.wait_for(consumer.getone(), _TIMEOUT_S)
            return (time.perf_counter() - began_s) * 1e3
        finally:
            await consumer.stop()

    return asyncio.run(first())


_PYTHON: dict[str, Callable[[str, str, str], float]] = {
    "": _librdkafka_ms,
    "-kafka-python": _kafka_python_ms,
    "-aiokafka": _aiokafka_ms,
}


def _java_ms(bootstrap: str, topic: str, protocol: str, count: int) -> list[float]:
    """Of Apache Kafka's client; nothing where there is no Java."""
    try:
        program = built("java", "first-record")
    except ClientMissing:
        return []
    done = subprocess.run(
        [*program, bootstrap, topic, protocol, str(_JAVA_WARM + count)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=2 * _TIMEOUT_S,
    )
    return [float(line) for line in done.stdout.splitlines()[_JAVA_WARM:]]


_AS_KAFKA = (Times(1.0, "kafka"),)

PARTS = [
    Part(
        name="group-first-record",
        doc="From a new consumer in a fresh group to its first record, by client; initial delay 0 on all",
        measures=(
            Measure("group-first-record", "ms", False, goals=(AtMost(150.0), *_AS_KAFKA)),
            *(
                Measure(f"group-first-record-{client}", "ms", False, goals=_AS_KAFKA)
                for client in ("kafka-python", "aiokafka", "java-classic", "java-consumer")
            ),
        ),
        run=first_record,
        not_for={
            "kfake": "no groups of KIP-848",
            "tansu": "no record comes within a minute",
        },
        rounds=3,
        quick=True,
    ),
]
