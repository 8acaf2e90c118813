"""Kafka Streams counts words with `exactly_once_v2`: two instances, a standby of each store, and kills.

Its store has no cache, so each update comes out: in the end the counts of a word must read 1, 2, 3... up to
how often it went in. A word counted twice or not, an aborted count or one out of order breaks the row.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from compat.builds import built
from compat.exactly_once.application import Application
from compat.exactly_once.kills import Kills
from compat.exactly_once.traffic import Feed, Records, create_topics, read_committed
from compat.exactly_once.trial import Outcome, server_for_trial
from compat.kafka_jars import STREAMS_VERSION
from compat.server_process import ServerProcess

LINES, COUNTS, APPLICATION = "lines", "word-counts", "word-count"
PARTITIONS = 4
INSTANCES = 2
WORDS = 300
WORDS_PER_LINE = 5
LINES_PER_SECOND = 60
_PAUSE_S = 12.0
"""Between two kills, at most: a new instance takes some seconds to get its tasks."""


def line_of(number: int) -> str:
    """The words of a line; some are common and some rare, as words are."""
    draw = random.Random(number)
    return " ".join(f"w{int(WORDS * draw.random() ** 2)}" for _ in range(WORDS_PER_LINE))


def run_word_count(*, seconds: float, seed: int, kafka: bool = False) -> Outcome:
    """Run it for so many seconds, let it finish, and count.

    Raises:
        ClientMissing, BuildFailed, KafkaUnavailable: it cannot be tried here.
        TimeoutError: it never finished.
    """
    outcome = Outcome(f"kafka-streams {STREAMS_VERSION} seed={seed}")
    command = built("java-streams", "word-count")
    with server_for_trial(kafka) as server, tempfile.TemporaryDirectory(prefix="word-count-") as folder:
        create_topics(server.bootstrap, PARTITIONS, LINES, COUNTS)
        applications = instances(command, server, Path(folder))
        feed = Feed(server.bootstrap, LINES, PARTITIONS, line_of)
        kills = Kills(server, applications, f"word count {seed}")
        try:
            kills.revive()
            with feed.flowing(LINES_PER_SECOND):
                kills.run(seconds, pause_s=_PAUSE_S, stops=True)
            wanted = expected(range(feed.count))
            kills.until(lambda: _size(server) >= wanted.total())
        finally:
            for application in applications:
                application.kill()
                outcome.said.update({"starts": application.starts})
        counts = read_committed(server.bootstrap, COUNTS, PARTITIONS)
        outcome.outputs = sum(map(len, counts.values()))
        outcome.faults = faults(wanted, counts) + idle(applications)
    outcome.inputs, outcome.kills = wanted.total(), kills.told()
    return outcome


def instances(command: Sequence[str], server: ServerProcess, folder: Path) -> list[Application]:
    """Not started yet; each keeps its state in a folder of its own over its lives."""
    return [
        Application(
            [*command, server.bootstrap, LINES, COUNTS, APPLICATION, str(folder / f"state-{number}")],
            folder / f"{number}.out",
        )
        for number in range(INSTANCES)
    ]


def expected(numbers: Iterable[int]) -> Counter[str]:
    """How often each word of these lines must be counted."""
    return Counter(word for number in numbers for word in line_of(number).split())


def faults(wanted: Mapping[str, int], counts: Records) -> list[str]:
    """Every word whose counts are not 1, 2, 3... up to what is wanted."""
    rows: dict[str, list[int]] = defaultdict(list)
    for records in counts.values():
        for word, count in records:
            rows[word.decode()].append(int(count))
    return [
        f"{word}: {wanted.get(word, 0)} times in, counted {row[:5]}...{row[-5:]}, {len(row)} counts"
        for word in sorted({*wanted, *rows})
        if (row := rows[word]) != list(range(1, wanted.get(word, 0) + 1))
    ]


def idle(applications: Sequence[Application]) -> list[str]:
    """Instances that never had both tasks to work on and standby tasks: then little was tried."""
    found = []
    for number, application in enumerate(applications):
        tasks = [line.split()[1:] for line in application.said().splitlines() if line.startswith("tasks")]
        if not any(int(active) > 0 for active, _, _ in tasks):
            found.append(f"instance {number} never had a task")
        if not any(int(standby) > 0 for _, standby, _ in tasks):
            found.append(f"instance {number} never was a standby")
    return found


def _size(server: ServerProcess) -> int:
    return sum(map(len, read_committed(server.bootstrap, COUNTS, PARTITIONS).values()))
