"""What it costs to have many partitions: stopping, starting again, and checking all of them after a kill."""

from __future__ import annotations

import time
from concurrent.futures import Future

from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ListOffsetsResultInfo, OffsetSpec

from benchmarks.goals import AtMost, Times
from benchmarks.part import Measure, Part, Server, Turn, Values
from benchmarks.process_stats import rss_anon_mb

_TIMEOUT_S = 300.0
_RECORD_BYTES = 1024
_NOT_COMPARED = "it keeps nothing over a stop"


def many_partitions(turn: Turn) -> Values:
    """A record in each partition, and then a stop, a start, a record more, a kill and a start."""
    partitions = turn.scale.partitions
    with turn.topic(partitions) as topic:
        _produce(turn.bootstrap, topic, partitions)
        began_s = time.perf_counter()
        if code := turn.server.stop(_TIMEOUT_S):
            raise RuntimeError(f"the server ended with {code}")
        stop_s = time.perf_counter() - began_s

        began_s = time.perf_counter()
        turn.server.start()
        _wait_ends(turn.bootstrap, topic, 1, 1)
        start_s = time.perf_counter() - began_s
        started_mb = rss_anon_mb(turn.server.pid)
        _wait_ends(turn.bootstrap, topic, partitions, 1)
        all_s = time.perf_counter() - began_s
        opened_mb = rss_anon_mb(turn.server.pid)

        _produce(turn.bootstrap, topic, partitions)
        turn.server.kill()
        began_s = time.perf_counter()
        turn.server.start()
        _wait_ends(turn.bootstrap, topic, partitions, 2)
        recovery_s = time.perf_counter() - began_s
    return {
        "partitions-stop": stop_s,
        "partitions-start": start_s,
        "partitions-start-all": all_s,
        "partitions-start-memory": started_mb,
        "partitions-open-memory": opened_mb,
        "partitions-recovery": recovery_s,
    }


def _produce(bootstrap: str, topic: str, partitions: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 4})
    for index in range(partitions):
        producer.produce(topic, bytes(_RECORD_BYTES), partition=index)
        producer.poll(0)
    if producer.flush(_TIMEOUT_S):
        raise RuntimeError("records were not taken")


def _wait_ends(bootstrap: str, topic: str, partitions: int, end_offset: int) -> None:
    """Return once the server says of the first so many partitions where they end."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
    waiting = [TopicPartition(topic, index) for index in range(partitions)]
    deadline_s = time.monotonic() + _TIMEOUT_S
    while waiting:
        answers = admin.list_offsets({each: OffsetSpec.latest() for each in waiting}, request_timeout=30)
        waiting = [each for each, answer in answers.items() if not _has_end(answer, end_offset)]
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"{len(waiting)} of {partitions} partitions are not served")


def _has_end(answer: Future[ListOffsetsResultInfo], end_offset: int) -> bool:
    """Whether a partition is served; while it is checked, it says that it has no leader."""
    try:
        found = answer.result().offset
    except KafkaException:
        return False
    if found < end_offset:
        raise RuntimeError(f"a partition ends at {found} where {end_offset} records were acknowledged")
    return True


_MEASURES = (
    Measure("partitions-stop", "s", False, goals=(AtMost(5.0), Times(1.0, "kafka"))),
    Measure("partitions-start", "s", False, goals=(AtMost(2.0), Times(1.0, "kafka"))),
    Measure("partitions-start-all", "s", False, goals=(Times(1.0, "kafka"),)),
    Measure("partitions-start-memory", "MB", False, goals=(AtMost(150.0),)),
    Measure("partitions-open-memory", "MB", False, goals=(AtMost(150.0),)),
    Measure("partitions-recovery", "s", False, goals=(Times(1.0, "kafka"),)),
)
PARTS = [
    Part(
        name="many-partitions",
        doc="10,000 partitions with a record each: a stop; a start until one and until all are served,"
        " and RssAnon then; a start after kill -9 until all are checked and served",
        measures=_MEASURES,
        run=many_partitions,
        server=Server.FRESH,
        rounds=3,
        not_for={"kfake": _NOT_COMPARED, "tansu": _NOT_COMPARED},
    ),
]
