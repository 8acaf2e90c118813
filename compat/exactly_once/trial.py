"""One application of two instances: numbers come in all the while, `kill -9` hits it and the server."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from compat.builds import built
from compat.exactly_once.application import Application
from compat.exactly_once.counting import faults
from compat.exactly_once.generation import EPOCH_BUMPS, generations_used, set_transaction_version
from compat.exactly_once.kills import Kills
from compat.exactly_once.traffic import Feed, committed_sum, create_topics, read_committed
from compat.kafka_server import KafkaServer
from compat.kstream_server import KstreamServer
from compat.server_process import ServerProcess

SOURCE, TARGET, GROUP = "source", "target", "doubling"
PARTITIONS = 4
INSTANCES = 2
NUMBERS_PER_SECOND = 400


class Client(NamedTuple):
    """Whose application it is, and the generations of the protocol that it speaks.

    `pause_s` is between two kills, at most: as long as an instance needs to get to work.
    """

    command: Callable[[], list[str]]
    versions: tuple[int, ...]
    pause_s: float = 2.5


CLIENTS: Mapping[str, Client] = {
    "confluent-kafka": Client(
        lambda: [sys.executable, "-m", "compat.exactly_once.confluent_application"], (1,)
    ),
    "franz-go": Client(lambda: built("go", "transform"), (1, 2)),
    "kafka-clients": Client(lambda: built("java", "transform"), (1, 2), 6.0),
}
"""librdkafka speaks the classic protocol whatever the server says."""


@dataclass
class Outcome:
    """What a trial came to; `faults` is empty where every input is in the output exactly once."""

    title: str
    inputs: int = 0
    outputs: int = 0
    kills: str = ""
    said: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def line(self) -> str:
        """For a person."""
        said = ", ".join(f"{count} {word}" for word, count in sorted(self.said.items()))
        verdict = "; ".join(self.faults) or "every input exactly once"
        return f"{self.title}: {self.inputs} in, {self.outputs} out, {self.kills} ({said}): {verdict}"


def run_trial(
    client: str, transaction_version: int, *, seconds: float, seed: int, kafka: bool = False
) -> Outcome:
    """Run one for so many seconds, let it finish, and count.

    Raises:
        ClientMissing, BuildFailed, KafkaUnavailable: it cannot be tried here.
        TimeoutError: it never finished.
    """
    outcome = Outcome(f"{client} transaction.version={transaction_version} seed={seed}")
    make_command, _, pause_s = CLIENTS[client]
    command = make_command()
    with server_for_trial(kafka) as server, tempfile.TemporaryDirectory(prefix="exactly-once-") as folder:
        set_transaction_version(server, transaction_version)
        create_topics(server.bootstrap, PARTITIONS, SOURCE, TARGET)
        applications = [
            Application(
                [*command, server.bootstrap, SOURCE, TARGET, GROUP, f"{GROUP}-{number}"],
                Path(folder) / f"{number}.out",
            )
            for number in range(INSTANCES)
        ]
        feed = Feed(server.bootstrap, SOURCE, PARTITIONS, str)
        kills = Kills(server, applications, f"{client} {seed}")
        try:
            kills.revive()
            with feed.flowing(NUMBERS_PER_SECOND):
                kills.run(seconds, pause_s=pause_s)
            kills.until(lambda: committed_sum(server.bootstrap, GROUP, SOURCE, PARTITIONS) == feed.count)
        finally:
            for application in applications:
                application.kill()
                outcome.said.update(application.counts())
        source, target = _numbers(server, SOURCE), _numbers(server, TARGET)
        generations = generations_used(server)
    outcome.inputs, outcome.kills = feed.count, kills.told()
    outcome.outputs = sum(map(len, target.values()))
    outcome.faults = faults(source, target)
    if sorted(number for each in source.values() for number in each) != list(range(feed.count)):
        outcome.faults.append("the input itself is not what the idempotent producer sent")
    if (EPOCH_BUMPS in generations) != (transaction_version == EPOCH_BUMPS):
        outcome.faults.append(f"it spoke the generations {sorted(generations)}")
    return outcome


def server_for_trial(kafka: bool) -> ServerProcess:
    """Not started yet."""
    settings = {"group.initial.rebalance.delay.ms": "0"}
    return KafkaServer(settings) if kafka else KstreamServer(settings)


def _numbers(server: ServerProcess, topic: str) -> dict[int, list[int]]:
    found = read_committed(server.bootstrap, topic, PARTITIONS)
    return {index: [int(value) for _, value in records] for index, records in found.items()}
