"""Where records come from and go to, as written on a command line.

| text | place |
|---|---|
| `orders` | the topic, at the cluster of `--bootstrap` |
| `host:9092/orders` | the topic of another cluster |
| `./kstream-data/orders` | the topic in a data directory, kstream's or Kafka's, that no server uses |
| `out.jsonl`, `out.parquet`, `-` | a file; standard input or output |
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from kstream.replay.errors import ReplayError

_CLUSTER_TOPIC = re.compile(r"([^/]+:[0-9]+)/([a-zA-Z0-9._-]{1,249})")
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
JSON_LINES = (".jsonl", ".ndjson", ".json")
PARQUET = ".parquet"


class TopicPlace(NamedTuple):
    """A topic of a running cluster."""

    bootstrap: str
    topic: str

    def __str__(self) -> str:
        return f"{self.topic} at {self.bootstrap}"


class DirectoryPlace(NamedTuple):
    """A topic in a data directory."""

    directory: Path
    topic: str

    def __str__(self) -> str:
        return f"{self.topic} in {self.directory}"


class FilePlace(NamedTuple):
    """A file; `path` None is standard input or output."""

    path: Path | None

    def __str__(self) -> str:
        return "-" if self.path is None else str(self.path)


Place = TopicPlace | DirectoryPlace | FilePlace


def parse_place(text: str, bootstrap: str) -> Place:
    """The place that `text` names. Raises `ReplayError`."""
    if text == "-":
        return FilePlace(None)
    if text.endswith((*JSON_LINES, PARQUET)):
        return FilePlace(Path(text))
    if cluster := _CLUSTER_TOPIC.fullmatch(text):
        return TopicPlace(cluster[1], cluster[2])
    if "/" in text:
        path = Path(text)
        if not _TOPIC.fullmatch(path.name):
            raise ReplayError(f"{text}: behind the last slash comes a topic, such as ./kstream-data/orders")
        return DirectoryPlace(path.parent, path.name)
    if not _TOPIC.fullmatch(text):
        raise ReplayError(
            f"{text} is no topic, no file and no data directory: write orders, host:9092/orders,"
            " ./kstream-data/orders, out.jsonl or - for a pipe"
        )
    return TopicPlace(bootstrap, text)
