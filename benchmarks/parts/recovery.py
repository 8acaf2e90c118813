"""After a kill -9: how long until everything that was written is served again."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from benchmarks.goals import MACHINE, Times
from benchmarks.part import Measure, Part, Server, Turn, Values
from benchmarks.parts.beside import evict
from benchmarks.scale import KIB

_PARTITIONS = 4
_TIMEOUT_S = 120.0
_PAUSE_S = 0.01
_GOALS = (Times(1.0, "kafka"), Times(0.5, MACHINE, of="limit-cold-read"))


def recovery(turn: Turn) -> Values:
    """Bulk into a few partitions, a kill, and the time from the command to an answer from the end of each.

    The files are not in the page cache then: what is measured includes the disk.
    """
    records = turn.scale.cold_bytes // KIB
    with turn.topic(partitions=_PARTITIONS) as topic:
        turn.load.produce(turn.bootstrap, topic, records=records, size=KIB)
        turn.server.kill()
        for index in range(_PARTITIONS):
            evict(turn.data_dir / f"{topic}-{index}")
        began_s = time.perf_counter()
        turn.server.start()
        total = sum(_end_offset(turn.bootstrap, topic, index) for index in range(_PARTITIONS))
        elapsed_s = time.perf_counter() - began_s
    if total < records:  # one more may be what made sure of the topic
        raise RuntimeError(f"{total} of {records} acknowledged records are there")
    return {"recovery": records * KIB / elapsed_s / 1e6}


def _end_offset(bootstrap: str, topic: str, index: int) -> int:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench"})
    ends_s = time.monotonic() + _TIMEOUT_S
    try:
        while True:
            try:
                return int(
                    consumer.get_watermark_offsets(TopicPartition(topic, index), timeout=_TIMEOUT_S)[1]
                )
            except KafkaException as error:
                # A partition that is still being checked has no leader yet: a client asks again.
                is_early = error.args[0].code() == KafkaError.NOT_LEADER_FOR_PARTITION
                if not is_early or time.monotonic() > ends_s:
                    raise
                time.sleep(_PAUSE_S)
    finally:
        consumer.close()


PARTS = [
    Part(
        name="recovery",
        doc="What was written, by the time from a start after kill -9 to the ends of all partitions;"
        " Kafka first waits for the session of its own killed broker",
        measures=(Measure("recovery", "MB/s", True, goals=_GOALS, limit="limit-cold-read"),),
        run=recovery,
        server=Server.FRESH,
        rounds=2,
        not_for={"kfake": "keeps nothing over a kill", "tansu": "was not compared"},
    ),
]
