"""Stream processors that people run against Kafka: each doubles the numbers of a topic into another.

Kafka Streams has a row of its own. Each job is a program of `programs/java-processors`, which has the whole
cluster in its JVM; the server is killed and started again while it writes.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from compat.builds import built
from compat.exactly_once.application import Application
from compat.exactly_once.traffic import create_topics, read_committed
from compat.matrix.stage import Stage, Step
from compat.story import expect, wait_until
from compat.stream_processors import FLINK_CONNECTOR_VERSION, FLINK_VERSION, SPARK_VERSION, STORM_VERSION

PARTITIONS = 2
_COUNT = 2000
_TIMEOUT_S = 240.0
_TAIL_CHARS = 3000


@dataclass(frozen=True)
class Job:
    """A program, its step's name, and what it says at its end if it did what the step is about."""

    program: str
    version: str
    step: str
    says: tuple[str, ...]
    is_exactly_once: bool


FLINK = Job(
    "flink-job",
    f"{FLINK_VERSION}, connector {FLINK_CONNECTOR_VERSION}",
    "flink-exactly-once",
    ("failed once: true",),
    is_exactly_once=True,
)
SPARK = Job(
    "spark-job",
    SPARK_VERSION,
    "spark-structured-streaming",
    ("batches: 4", f"read back: {_COUNT}"),
    is_exactly_once=True,
)
STORM = Job("storm-job", STORM_VERSION, "storm-spout", ("done",), is_exactly_once=False)
JOBS = (FLINK, SPARK, STORM)


class Processor:
    """One of them at work."""

    gaps: Mapping[str, str] = {}

    def __init__(self, job: Job, stage: Stage) -> None:
        self._job = job
        self._command = built("java-processors", job.program)
        self._bootstrap, self._restart = stage.bootstrap, stage.restart
        self._source, self._target = f"{stage.prefix}-numbers", f"{stage.prefix}-doubled"

    def version(self) -> str:
        """The processor's."""
        return self._job.version

    def steps(self) -> Iterable[Step]:
        """The job."""
        yield Step(self._job.step, self._double)

    def close(self) -> None:
        """Nothing is left: the program has ended."""

    def _double(self) -> None:
        create_topics(self._bootstrap, PARTITIONS, self._source, self._target)
        self._send_numbers()
        with tempfile.TemporaryDirectory(prefix=f"{self._job.program}-") as folder:
            arguments = [self._bootstrap, self._source, self._target, str(_COUNT), folder]
            program = Application([*self._command, *arguments], Path(folder, "job.said"))
            program.start()
            try:
                self._watch(program)
            finally:
                program.kill()
            tail = f"{program.said()[-_TAIL_CHARS:]}\n{program.logged()[-_TAIL_CHARS:]}"
            for line in self._job.says:
                expect(line in program.said().splitlines(), f"it says {line!r}:\n{tail}")
        wanted = Counter(range(0, 2 * _COUNT, 2))
        # A transaction that a failed attempt left open holds readers up until it is aborted, or times out.
        wait_until(lambda: not wanted - self._doubled(), "all numbers came out", timeout_s=_TIMEOUT_S)
        again = self._doubled() - wanted
        expect(not (self._job.is_exactly_once and again), f"again or wrong: {again.most_common(10)}")

    def _doubled(self) -> Counter[int]:
        records = read_committed(self._bootstrap, self._target, PARTITIONS).values()
        return Counter(int(value) for partition in records for _, value in partition)

    def _watch(self, program: Application) -> None:
        """Until it ends; the server is killed and started once something is written."""
        if self._restart is not None:
            wait_until(lambda: self._written() or not program.is_running, "it writes", timeout_s=_TIMEOUT_S)
            expect(program.is_running, f"it is at work: {program.logged()[-_TAIL_CHARS:]}")
            self._restart()
        wait_until(lambda: not program.is_running, "it ends", timeout_s=_TIMEOUT_S)

    def _written(self) -> bool:
        """Whether there is anything in the target, committed or not."""
        with closing(Consumer({"bootstrap.servers": self._bootstrap, "group.id": "watching"})) as consumer:
            partitions = [TopicPartition(self._target, index) for index in range(PARTITIONS)]
            return any(consumer.get_watermark_offsets(each, 20.0)[1] for each in partitions)

    def _send_numbers(self) -> None:
        producer = Producer({"bootstrap.servers": self._bootstrap, "enable.idempotence": True})
        for number in range(_COUNT):
            producer.produce(self._source, str(number).encode(), partition=number % PARTITIONS)
        expect(producer.flush(30) == 0, "all numbers are sent")
