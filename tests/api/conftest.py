"""A broker on a temporary directory, asked through its handlers: messages take the way over their bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import trio

from kstream.api.context import RequestContext
from kstream.api.registry import load
from kstream.broker.broker import Broker
from kstream.clock import ManualClock
from kstream.config.broker import BrokerConfig
from kstream.wire.apis import api
from kstream.wire.codec import decode, encode
from kstream.wire.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from kstream.wire.schema import Message

Answer = TypeVar("Answer", bound=Message)
DEFAULTS = {"num.partitions": "3", "node.id": "1"}


class Asker:
    """One client's connection to a broker, without the connection."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.context = RequestContext(broker, local_address=("reached.example", 19092))

    def ask(self, request: Message, version: int, expected: type[Answer]) -> Answer:
        """The answer as a client of that version sees it."""
        registration = load()[request.API_KEY]
        arrived = decode(type(request), encode(request, version), version)
        self.context.api_version = version

        async def run() -> Message:
            answer: Message = await registration.handler(self.context, arrived)
            return answer

        answer = trio.run(run)
        assert type(answer) is api(request.API_KEY).response
        return decode(expected, encode(answer, version), version)

    def create(self, name: str, partitions: int = 1, **configs: str) -> None:
        """Create a topic; keys of `configs` have underscores for dots."""
        topic = CreatableTopic(
            name=name,
            num_partitions=partitions,
            replication_factor=1,
            configs=[
                CreatableTopicConfig(name=key.replace("_", "."), value=value)
                for key, value in configs.items()
            ],
        )
        answer = self.ask(CreateTopicsRequest(topics=[topic]), 7, CreateTopicsResponse)
        assert [result.error_code for result in answer.topics] == [0]

    def topic_id(self, name: str) -> bytes:
        return self.broker.metadata.image.topics_by_name[name].topic_id


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Asker]]:
    """Starts the broker of this test's directory with settings of its own; a second call starts it again."""
    running: list[Broker] = []

    def stop() -> None:
        while running:
            running.pop().close()

    def begin(**settings: str) -> Asker:
        stop()
        static = DEFAULTS | {key.replace("_", "."): value for key, value in settings.items()}
        broker = Broker.open(tmp_path / "data", BrokerConfig(static), ManualClock())
        running.append(broker)
        return Asker(broker)

    yield begin
    stop()


@pytest.fixture
def asker(start: Callable[..., Asker]) -> Asker:
    return start()
