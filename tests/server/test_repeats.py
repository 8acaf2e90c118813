"""Requests that repeat get the answers, byte for byte, that they get when each of them is decoded."""

from __future__ import annotations

import itertools
import random
import struct
from pathlib import Path
from typing import cast

import pytest

from kstream.api import registry
from kstream.api.context import RequestContext
from kstream.broker.broker import Broker
from kstream.errors import ErrorCode, ProtocolError
from kstream.server.dispatch import Dispatcher
from kstream.wire.codec import decode
from kstream.wire.headers import request_frame
from kstream.wire.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from tests.api.data_plane import batch, delete, opened, run

BATCHES = {
    "one": batch(b"a"),
    "two": batch(b"a", b"b"),
    "long": batch(b"v" * 300),
    "longer": batch(b"v" * 20_000),
    "many": batch(*[b"v"] * 200),
    "spoiled": batch(b"a")[:-1] + b"\x7f",
    "transactional": batch(b"a", producer_id=7, producer_epoch=0, base_sequence=0, is_transactional=True),
    "misplaced": b"\1" * 8 + batch(b"a")[8:],
    "empty": b"",
    "short": batch(b"a")[:40],
}
TOPICS = ("t", "u", "longer-name", "unknown")


class Side:
    """A broker with a dispatcher; one that forgets what its connections said decodes each request."""

    def __init__(self, broker: Broker, *, forgets: bool) -> None:
        self.broker = broker
        self.dispatcher = Dispatcher(registry.load())
        self.contexts = [RequestContext(broker) for _ in range(2)]
        self.forgets = forgets
        self.repeated = 0

    def topic_id(self, topic: str) -> bytes:
        found = self.broker.metadata.image.topics_by_name.get(topic)
        return found.topic_id if found is not None else b"\5" * 16

    async def answer(self, frame: bytes, connection: int) -> bytes | str | None:
        context = self.contexts[connection]
        if self.forgets:
            context.repeats_to = 0
        view = memoryview(bytearray(frame))
        # What a connection says again must not need decoding: the known bytes are there to be found.
        found = self.dispatcher._repeats._known.get(view[8 : context.repeats_to].tobytes())
        self.repeated += found is not None
        try:
            parts = await self.dispatcher.answer(view, context)
        except ProtocolError as error:
            return str(error)
        return None if parts is None else b"".join(cast("list[bytes]", parts))


def _request(draw: random.Random, topic_id: bytes, topic: str, correlation_id: int) -> bytes:
    version = draw.choice((12, 12, 12, 13, 13, 9, 8, 7, 7, 5, 4))
    partitions = [
        PartitionProduceData(
            index=draw.choice((0, 0, 0, 0, 1, 2)),
            records=BATCHES[draw.choice(("one", "one", "one", *BATCHES))],
        )
        for _ in range(draw.choice((1, 1, 1, 1, 1, 1, 2)))
    ]
    data = TopicProduceData(partition_data=partitions)
    if version >= 13:
        data.topic_id = topic_id
    else:
        data.name = topic
    request = ProduceRequest(
        acks=draw.choice((1, 1, 1, 1, 1, 1, -1, 0, 5)), timeout_ms=1000, topic_data=[data]
    )
    frame = request_frame(request, version, correlation_id, draw.choice(("c", "c", "c", "c", None)))[4:]
    if draw.random() < 0.1:
        at = draw.randrange(len(frame))
        frame = frame[:at] + bytes([draw.randrange(256)]) + frame[at + 1 :]
    if draw.random() < 0.1:
        frame = draw.choice((frame[: draw.randrange(10, len(frame))], frame + b"\0", frame + b"more"))
    return frame


@pytest.mark.parametrize("seed", range(4))
def test_answers_are_those_of_requests_that_are_decoded(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(seed)
    topic_ids = itertools.cycle([b"\1" * 16, b"\2" * 16, b"\3" * 16])  # the same in both brokers
    monkeypatch.setattr("kstream.broker.metadata.create_topics.random_uuid", lambda: next(topic_ids))

    async def test() -> None:
        async with opened(tmp_path / "a", *TOPICS[:3]) as one, opened(tmp_path / "b", *TOPICS[:3]) as other:
            sides = [Side(one, forgets=False), Side(other, forgets=True)]
            for correlation_id in range(400):
                topic, state = draw.choice(("t", "t", "t", "t", *TOPICS)), draw.getstate()
                answers: list[bytes | str | None] = []
                for side in sides:
                    draw.setstate(state)
                    frame = _request(draw, side.topic_id(topic), topic, correlation_id)
                    answers.append(await side.answer(frame, connection=correlation_id % 2))
                assert answers[0] == answers[1], (seed, correlation_id)
            assert sides[0].repeated > 20
            for topic in TOPICS[:3]:
                for index in range(2):
                    ends = [(await side.broker.partitions.get(topic, index)).log.end_offset for side in sides]
                    assert ends[0] == ends[1]

    run(test)


def _plain(correlation_id: int, version: int = 12) -> bytes:
    data = PartitionProduceData(index=1, records=BATCHES["one"])
    request = ProduceRequest(
        acks=1, timeout_ms=1000, topic_data=[TopicProduceData(name="t", partition_data=[data])]
    )
    return request_frame(request, version, correlation_id, "c")[4:]


def test_a_repeat_finds_that_the_topic_is_gone(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            side = Side(broker, forgets=False)
            for correlation_id in range(3):
                await side.answer(_plain(correlation_id), 0)
            await delete(broker, "t")
            answer = await side.answer(_plain(77), 0)
            assert side.repeated == 3
            assert isinstance(answer, bytes)
            assert struct.unpack_from(">ii", answer) == (len(answer) - 4, 77)
            (topic,) = decode(ProduceResponse, answer, 12, offset=9).responses
            (partition,) = topic.partition_responses
            assert (topic.name, partition.index) == ("t", 1)
            assert partition.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            assert partition.base_offset == -1

    run(test)


def test_a_repeat_restores_what_the_connection_said_of_itself(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            side = Side(broker, forgets=False)
            await side.answer(_plain(1), 0)
            context = side.contexts[0]
            context.client_id, context.api_version = "another", 3
            await side.answer(_plain(2), 0)
            assert side.repeated == 1
            assert (context.client_id, context.api_version) == ("c", 12)

    run(test)


def test_what_is_remembered_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kstream.server.repeats._KEPT_MAX", 3)

    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            side = Side(broker, forgets=False)
            for number in range(10):
                data = PartitionProduceData(index=0, records=BATCHES["one"])
                topics = [TopicProduceData(name="t", partition_data=[data])]
                request = ProduceRequest(acks=1, timeout_ms=number, topic_data=topics)
                await side.answer(request_frame(request, 12, number, "c")[4:], 0)
                assert 1 <= len(side.dispatcher._repeats._known) <= 3

    run(test)
