"""Who is in the matrix: clients that tell the common story, and programs with steps of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from compat.chapters import chapters
from compat.clients import adapter
from compat.matrix.command_line import CommandLine
from compat.matrix.connect import Connect
from compat.matrix.processors import FLINK, SPARK, STORM, Processor
from compat.matrix.stage import Session, Stage, Step
from compat.matrix.web_uis import WebUis
from compat.story import Adapter


@dataclass(frozen=True)
class Entry:
    """A row of the matrix. `open` raises ClientMissing where its program cannot run; `quick` ones take less.

    `settings` are what its server is started with, beyond the defaults.
    """

    name: str
    kind: str
    open: Callable[[Stage], Session]
    quick: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)


class StorySession:
    """A client that tells the chapters."""

    def __init__(self, client: str, stage: Stage) -> None:
        self._stage = stage
        self._adapter: Adapter = adapter(client, stage.bootstrap)
        told = list(chapters(stage.restart))
        traits = self._adapter.traits
        self._told = [chapter for chapter in told if chapter.why_not(traits) is None]
        why_not = {chapter.name: chapter.why_not(traits) for chapter in told}
        self.gaps = {**{name: why for name, why in why_not.items() if why}, **traits.gaps}

    def version(self) -> str:
        """The client's own."""
        return self._adapter.version()

    def steps(self) -> Iterable[Step]:
        """One for each chapter, on a topic of its own."""
        for chapter in self._told:
            topic = f"{self._stage.prefix}-{chapter.name}"
            yield Step(chapter.name, partial(chapter.tell, self._adapter, topic))

    def close(self) -> None:
        """Close the client."""
        self._adapter.close()


CLEAN_OFTEN = {"log.cleaner.backoff.ms": "200"}


def _story(client: str, kind: str, *, quick: bool = False) -> Entry:
    return Entry(client, kind, partial(StorySession, client), quick, CLEAN_OFTEN)


def _streams(stage: Stage) -> Session:
    from compat.exactly_once.streams_session import StreamsSession  # it needs confluent-kafka

    return StreamsSession(stage)


ENTRIES = (
    _story("confluent-kafka", "Python", quick=True),
    _story("kafka-python", "Python", quick=True),
    _story("aiokafka", "Python", quick=True),
    _story("kcat", "C", quick=True),
    _story("librdkafka", "C", quick=True),
    _story("franz-go", "Go", quick=True),
    _story("sarama", "Go"),
    _story("kafka-go", "Go", quick=True),
    _story("confluent-kafka-go", "Go", quick=True),
    _story("kafka-clients", "Java"),
    _story("kafkajs", "Node.js", quick=True),
    _story("confluent-kafka-javascript", "Node.js"),
    _story("platformatic-kafka", "Node.js"),
    _story("rdkafka", "Rust"),
    _story("rskafka", "Rust"),
    _story("faststream-aiokafka", "Python"),
    _story("faststream-confluent", "Python"),
    Entry("kafka-streams", "Java", _streams),
    Entry("web-uis", "Java", WebUis),
    Entry("kafka-tools", "Java", CommandLine),
    Entry("kafka-connect", "Java", Connect),
    Entry("flink", "Java", partial(Processor, FLINK)),
    Entry("spark", "Java", partial(Processor, SPARK)),
    Entry("storm", "Java", partial(Processor, STORM)),
)
