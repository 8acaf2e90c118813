"""After a kill -9: how long until everything that was written is served again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from benchmarks.cold_files import evict, plain_read
from benchmarks.goals import KSTREAM, Times
from benchmarks.part import Measure, Part, Server, Turn, Values
from benchmarks.scale import KIB

_PARTITIONS = 4
_TIMEOUT_S = 120.0
_PAUSE_S = 0.01
_GOALS = (Times(1.0, "kafka"), Times(0.5, KSTREAM, of="recovery-read"))


def recovery(turn: Turn) -> Values:
    """Bulk into a few partitions, a kill, and the time from the command to an answer from the end of each.

    The files are not in the page cache then: what is measured includes the disk. What the disk gives is
    measured in the same turn, with the same files: as many threads as recover by default only read them.
    """
    records = turn.scale.cold_bytes // KIB
    with turn.topic(partitions=_PARTITIONS) as topic:
        turn.load.produce(turn.bootstrap, topic, records=records, size=KIB)
        turn.server.kill()
        folders = [turn.data_dir / f"{topic}-{index}" for index in range(_PARTITIONS)]
        _evict_all(folders)
        read_mb_per_second = plain_read(folders)
        _evict_all(folders)
        began_s = time.perf_counter()
        turn.server.start()
        total = sum(_end_offset(turn.bootstrap, topic, index) for index in range(_PARTITIONS))
        elapsed_s = time.perf_counter() - began_s
    if total < records:  # one more may be what made sure of the topic
        raise RuntimeError(f"{total} of {records} acknowledged records are there")
    return {"recovery": records * KIB / elapsed_s / 1e6, "recovery-read": read_mb_per_second}


def _evict_all(folders: Sequence[Path]) -> None:
    for folder in folders:
        evict(folder)


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
        doc="What was written, by the time from a start after kill -9 to the ends of all partitions, and two"
        " threads that only read the same files; Kafka first waits for the session of its own killed broker",
        measures=(
            Measure("recovery", "MB/s", True, goals=_GOALS),
            Measure("recovery-read", "MB/s", True),
        ),
        run=recovery,
        server=Server.FRESH,
        rounds=2,
        not_for={"kfake": "keeps nothing over a kill", "tansu": "was not compared"},
    ),
]
