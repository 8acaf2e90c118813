"""A metadata store on a directory of its own, without a broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import trio

from kstream.broker.metadata.create_topics import NewTopic, create_topics
from kstream.broker.metadata.image import MetadataImage
from kstream.broker.metadata.store import Change, MetadataStore
from kstream.clock import ManualClock
from kstream.config.broker import BrokerConfig
from kstream.log.directory import LogDirectory

Result = TypeVar("Result")
SETTINGS = {"node.id": "1", "num.partitions": "2", "listeners": "PLAINTEXT://127.0.0.1:9092"}


class Opened:
    """A store and what it stands on."""

    def __init__(self, path: Path, **settings: str) -> None:
        given = {key.replace("_", "."): value for key, value in settings.items()}
        self.config = BrokerConfig(SETTINGS | given)
        self.directory = LogDirectory.open(path, node_id=self.config.node_id)
        try:
            self.store = MetadataStore.open(self.directory, self.config, ManualClock())
        except BaseException:
            self.directory.close()
            raise

    @property
    def image(self) -> MetadataImage:
        return self.store.image

    def update(self, operation: Callable[[MetadataImage], Change[Result]]) -> Result:
        async def run() -> Result:
            return await self.store.update(operation)

        return trio.run(run)

    def create(self, name: str, **configs: str) -> None:
        topic = NewTopic(name, configs=[(key.replace("_", "."), value) for key, value in configs.items()])
        (created,) = self.update(lambda image: create_topics(image, self.config, [topic]))
        assert created.error is None

    def allocate(self, count: int) -> int:
        return trio.run(self.store.allocate_producer_ids, count)

    def close(self) -> None:
        self.store.close()
        self.directory.close()


@contextmanager
def opened(path: Path, **settings: str) -> Iterator[Opened]:
    """Open, and close at the end."""
    found = Opened(path, **settings)
    try:
        yield found
    finally:
        found.close()
