"""Kafka Streams counts words with `exactly_once_v2`: two instances, a standby of each store, and kills.

Its store has no cache, so each update comes out: in the end the counts of a word must read 1, 2, 3... up to
how often it went in. A word counted twice or not, an aborted count or one out of order breaks the row.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from compat.builds import built
from compat.exactly_once.application import Application
from compat.exactly_once.kills import Kills
from compat.exactly_once.traffic import Feed, Records, create_topics, read_committed
from compat.exactly_once.trial import Outcome, server_for_trial
from compat.kafka_jars import STREAMS_VERSION

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


class WordCount:
    """The application against one server: `prefix` begins its topics, `folder` has its instances' state.

    Raises ClientMissing, BuildFailed: it cannot run here.
    """

    def __init__(self, bootstrap: str, folder: Path, prefix: str = "word-count") -> None:
        command = [
            *built("java-streams", "word-count"),
            bootstrap,
            f"{prefix}-lines",
            f"{prefix}-counts",
            prefix,
        ]
        self._bootstrap = bootstrap
        self._counts = f"{prefix}-counts"
        create_topics(bootstrap, PARTITIONS, f"{prefix}-lines", self._counts)
        self.feed = Feed(bootstrap, f"{prefix}-lines", PARTITIONS, line_of)
        self.instances = [
            Application([*command, str(folder / f"state-{number}")], folder / f"{number}.out")
            for number in range(INSTANCES)
        ]
        self.outputs = 0

    def expected(self) -> Counter[str]:
        """How often each word went in."""
        return Counter(word for number in range(self.feed.count) for word in line_of(number).split())

    def is_done(self) -> bool:
        """Whether as many counts came out as words went in."""
        return self.outputs_now() >= self.feed.count * WORDS_PER_LINE

    def outputs_now(self) -> int:
        self.outputs = sum(map(len, read_committed(self._bootstrap, self._counts, PARTITIONS).values()))
        return self.outputs

    def faults(self) -> list[str]:
        """What is wrong with the counts, and whether much was tried."""
        counts = read_committed(self._bootstrap, self._counts, PARTITIONS)
        return miscounted(self.expected(), counts) + idle(self.instances)

    def kill(self) -> None:
        """End all instances."""
        for instance in self.instances:
            instance.kill()


def run_word_count(*, seconds: float, seed: int, kafka: bool = False) -> Outcome:
    """Run it for so many seconds, let it finish, and count.

    Raises:
        ClientMissing, BuildFailed, KafkaUnavailable: it cannot be tried here.
        TimeoutError: it never finished.
    """
    outcome = Outcome(f"kafka-streams {STREAMS_VERSION} seed={seed}")
    with server_for_trial(kafka) as server, tempfile.TemporaryDirectory(prefix="word-count-") as folder:
        words = WordCount(server.bootstrap, Path(folder))
        kills = Kills(server, words.instances, f"word count {seed}")
        try:
            kills.revive()
            with words.feed.flowing(LINES_PER_SECOND):
                kills.run(seconds, pause_s=_PAUSE_S, stops=True)
            kills.until(words.is_done)
        finally:
            words.kill()
        outcome.said.update({"starts": sum(instance.starts for instance in words.instances)})
        outcome.faults = words.faults()
        outcome.inputs, outcome.outputs = words.expected().total(), words.outputs_now()
    outcome.kills = kills.told()
    return outcome


def miscounted(wanted: Mapping[str, int], counts: Records) -> list[str]:
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


def idle(instances: Sequence[Application]) -> list[str]:
    """Instances that never had both tasks to work on and standby tasks: then little was tried."""
    found = []
    for number, instance in enumerate(instances):
        tasks = [line.split()[1:] for line in instance.said().splitlines() if line.startswith("tasks")]
        if not any(int(active) > 0 for active, _, _ in tasks):
            found.append(f"instance {number} never had a task")
        if not any(int(standby) > 0 for _, standby, _ in tasks):
            found.append(f"instance {number} never was a standby")
    return found
