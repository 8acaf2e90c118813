"""Kafka Streams in the matrix: the word count, in short: the server and an instance are killed once each."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from compat.builds import built
from compat.exactly_once.word_count import LINES_PER_SECOND, WordCount
from compat.kafka_jars import STREAMS_VERSION
from compat.matrix.stage import Stage, Step
from compat.story import wait_until

_TIMEOUT_S = 90.0


class StreamsSession:
    """One step. Raises ClientMissing where Java or Maven are missing."""

    gaps: Mapping[str, str] = {}

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        built("java-streams", "word-count")

    def version(self) -> str:
        """Of Kafka Streams."""
        return STREAMS_VERSION

    def steps(self) -> Iterable[Step]:
        """The word count."""
        yield Step("word-count", self._count)

    def close(self) -> None:
        """Nothing is left running."""

    def _count(self) -> None:
        with tempfile.TemporaryDirectory(prefix="word-count-") as folder:
            words = WordCount(self._stage.bootstrap, Path(folder), self._stage.prefix)
            try:
                self._disturb(words)
                wait_until(words.is_done, "every word is counted", timeout_s=_TIMEOUT_S)
            finally:
                words.kill()
            if faults := words.faults():
                raise AssertionError("; ".join(faults))

    def _disturb(self, words: WordCount) -> None:
        for instance in words.instances:
            instance.start()
        with words.feed.flowing(LINES_PER_SECOND):
            wait_until(lambda: _all_run(words), "both instances run", timeout_s=_TIMEOUT_S)
            if self._stage.restart is not None:
                self._stage.restart()
            _more(words)
            words.instances[0].kill()
            words.instances[0].start()
            _more(words)


def _all_run(words: WordCount) -> bool:
    """Whether each has tasks and standbys."""
    lasts = [instance.said().splitlines()[-1:] for instance in words.instances]
    return all(last and last[0].endswith("RUNNING") and " 0 " not in last[0] for last in lasts)


def _more(words: WordCount) -> None:
    before = words.outputs_now()
    wait_until(lambda: words.outputs_now() > before, "the counting goes on", timeout_s=_TIMEOUT_S)
