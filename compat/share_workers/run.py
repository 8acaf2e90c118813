"""A hundred share workers, killed at random as the server is, while messages come in."""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from compat.exactly_once.traffic import Feed, create_topics, read_committed
from compat.kafka_server import KafkaServer
from compat.kstream_server import KstreamServer
from compat.server_process import ServerProcess
from compat.share_workers.history import Bounds, Place, Verdict, check
from compat.share_workers.worker import Worker, commands
from kstream.testing.client import WireClient
from kstream.wire.messages.describe_share_group_offsets import (
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequestGroup,
    DescribeShareGroupOffsetsRequestTopic,
)
from kstream.wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)

TOPIC, GROUP = "jobs", "workers"
PARTITIONS = 8
JOBS_PER_SECOND = 400
_KINDS = ("accept", "accept", "renew", "release", "reject")
_LIMIT, _LOCK_MS = 10, 15_000
_FEW_AT_ONCE = {
    "librdkafka": "fetch.max.bytes=1000",
    "franz-go": "share.max.records=5",
    "java": "max.poll.records=5",
}
_BROKER = {"group.share.session.timeout.ms": "10000", "group.share.min.session.timeout.ms": "10000"}
"""Who was killed keeps its partitions for so long, and some have no other reader."""
_GROUP_RESOURCE = 32
_WORKER_PAUSE_S, _SERVER_PAUSE_S = 1.0, 12.0
"""Between two kills, at most."""
_WAIT_S = 120.0


@dataclass
class Outcome:
    """What a run came to."""

    title: str
    produced: int
    worker_kills: int
    server_kills: int
    verdict: Verdict
    settled_by: str
    """How many each client was told that it settled."""

    @property
    def faults(self) -> list[str]:
        """Every breach; nothing where all is well."""
        return self.verdict.faults

    def line(self) -> str:
        """For a person."""
        found = self.verdict
        told = "; ".join(found.faults[:10]) or "all settled, none again"
        if len(found.faults) > 10:
            told += f"; and {len(found.faults) - 10} more"
        return (
            f"{self.title}: {self.produced} jobs, {found.deliveries} deliveries (at most "
            f"{found.most_deliveries} of one), {found.settled} told as settled ({self.settled_by}), "
            f"{found.untold} untold, "
            f"workers killed {self.worker_kills} times, server {self.server_kills} times: {told}"
        )


def run_share_workers(*, workers: int, seconds: float, seed: int, kafka: bool = False) -> Outcome:
    """Run for so many seconds, let the rest be done, and check.

    Raises TimeoutError if the work is never done, KafkaUnavailable if there is no Kafka.
    """
    server: ServerProcess = KafkaServer(_BROKER) if kafka else KstreamServer(_BROKER)
    with server, tempfile.TemporaryDirectory(prefix="share-workers-") as folder:
        create_topics(server.bootstrap, PARTITIONS, TOPIC)
        _configure(server)
        fleet = _fleet(server, workers, Path(folder))
        kills = _Kills(server, fleet, seed)
        feed = Feed(server.bootstrap, TOPIC, PARTITIONS, _job)
        try:
            kills.revive()
            with feed.flowing(JOBS_PER_SECOND):
                kills.run(seconds)
            kills.until(lambda: not any(_lags(server).values()))
            _dismiss(fleet)
        finally:
            for worker in fleet:
                worker.kill()
        lives = [life for worker in fleet for life in worker.lives()]
        verdict = check(lives, _produced(server), Bounds(_LIMIT, _LOCK_MS, kills.server_kills_ms))
    title = f"{workers} share workers ({_composition(workers)}) seed={seed}"
    settled_by = Counter({life.worker.rpartition("-")[0]: 0 for life in lives})
    for life in lives:
        settled_by[life.worker.rpartition("-")[0]] += sum(event.is_settled for event in life.events)
    return Outcome(
        title, feed.count, kills.worker_kills, len(kills.server_kills_ms), verdict, _counts(settled_by)
    )


def _job(number: int) -> str:
    return f"{_KINDS[number % len(_KINDS)]}-{number}"


class _Kills:
    """Who is killed when follows from the seed; how far they have come by then does not."""

    def __init__(self, server: ServerProcess, fleet: Sequence[Worker], seed: int) -> None:
        self._server = server
        self._fleet = fleet
        self._draw = random.Random(f"share-workers {seed}")
        self.worker_kills = 0
        self.server_kills_ms: list[int] = []

    def run(self, seconds: float) -> None:
        """For so long."""
        end_s = time.monotonic() + seconds
        next_server_s = time.monotonic() + self._draw.uniform(_SERVER_PAUSE_S / 3, _SERVER_PAUSE_S)
        while time.monotonic() < end_s:
            time.sleep(self._draw.uniform(0, _WORKER_PAUSE_S))
            self._draw.choice(self._fleet).kill()
            self.worker_kills += 1
            if time.monotonic() >= next_server_s:
                self._server.kill()
                self.server_kills_ms.append(time.time_ns() // 1_000_000)
                self._server.start()
                next_server_s = time.monotonic() + self._draw.uniform(_SERVER_PAUSE_S / 3, _SERVER_PAUSE_S)
            self.revive()

    def revive(self) -> None:
        """Start who does not run."""
        for worker in self._fleet:
            if not worker.is_running:
                worker.start()

    def until(self, is_done: Callable[[], bool]) -> None:
        """Nobody is killed any more. Raises TimeoutError with what workers said last."""
        end_s = time.monotonic() + _WAIT_S
        while not is_done():
            if time.monotonic() > end_s:
                said = "\n".join(f"{worker.name}: {worker.logged()}" for worker in self._fleet[:3])
                lags = _lags(self._server)
                raise TimeoutError(
                    f"the jobs are never done, lags {lags}:\n{said}\n{self._server.log_tail()}"
                )
            time.sleep(0.2)
            self.revive()


def _fleet(server: ServerProcess, count: int, folder: Path) -> list[Worker]:
    fleet = []
    for number, (client, _, command) in enumerate(commands(count)):
        arguments = [server.bootstrap, f"group.id={GROUP};{_FEW_AT_ONCE[client]}", TOPIC]
        fleet.append(Worker(f"{client}-{number}", [*command, *arguments], folder))
    return fleet


def _composition(count: int) -> str:
    """Who they are, for a person."""
    members: Counter[str] = Counter()
    for client, workers, _ in commands(count):
        members[client] += workers
    return _counts(members)


def _counts(of_clients: Counter[str]) -> str:
    return ", ".join(f"{number} {client}" for client, number in sorted(of_clients.items()))


def _dismiss(fleet: Sequence[Worker]) -> None:
    """All leave in order, and have time to tell what they know."""
    for worker in fleet:
        worker.ask_to_leave()
    end_s = time.monotonic() + 30.0
    for worker in fleet:
        worker.wait(end_s - time.monotonic())


def _configure(server: ServerProcess) -> None:
    wanted = {
        "share.auto.offset.reset": "earliest",
        "share.delivery.count.limit": str(_LIMIT),
        "share.record.lock.duration.ms": str(_LOCK_MS),
    }
    altered = [AlterableConfig(name=name, config_operation=0, value=value) for name, value in wanted.items()]
    resource = AlterConfigsResource(resource_type=_GROUP_RESOURCE, resource_name=GROUP, configs=altered)
    with WireClient(*server.address) as client:
        (answer,) = client.request(IncrementalAlterConfigsRequest(resources=[resource]), 1).responses
        if answer.error_code:
            raise RuntimeError(f"the group cannot be configured: {answer.error_message}")


def _lags(server: ServerProcess) -> dict[int, int]:
    """How many records are not settled, by partition; -1 where it is not known yet."""
    wanted = DescribeShareGroupOffsetsRequestTopic(topic_name=TOPIC, partitions=list(range(PARTITIONS)))
    group = DescribeShareGroupOffsetsRequestGroup(group_id=GROUP, topics=[wanted])
    with WireClient(*server.address) as client:
        (found,) = client.request(DescribeShareGroupOffsetsRequest(groups=[group]), 1).groups
    return {part.partition_index: part.lag for topic in found.topics for part in topic.partitions}


def _produced(server: ServerProcess) -> dict[Place, str]:
    found = read_committed(server.bootstrap, TOPIC, PARTITIONS)
    return {
        (partition, offset): value.decode()
        for partition, records in found.items()
        for offset, (_, value) in enumerate(records)
    }
