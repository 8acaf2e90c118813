"""Acknowledgements that repeat are answered, byte for byte, as those that are decoded, and do the same."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from kstream.api import registry, share_fetch
from kstream.api.context import RequestContext
from kstream.broker.broker import Broker
from kstream.broker.metadata.alter_configs import KeyChange, Operation, ResourceChange, alter_configs
from kstream.broker.metadata.client_quotas import EntityChange, QuotaChange, alter_client_quotas
from kstream.broker.metadata.features import SHARE_VERSION
from kstream.broker.metadata.image import ResourceType
from kstream.broker.metadata.update_features import FeatureUpdate, UpgradeType, update_features
from kstream.errors import ErrorCode
from kstream.server.dispatch import Dispatcher
from kstream.shares.limits import AcknowledgeType
from kstream.shares.state_store import ShareKey
from kstream.wire.apis import ApiKey
from kstream.wire.codec import decode
from kstream.wire.headers import request_frame
from kstream.wire.messages.initialize_share_group_state import (
    InitializeShareGroupStateRequest,
    InitializeStateData,
    PartitionData,
)
from kstream.wire.messages.share_acknowledge import (
    AcknowledgementBatch,
    AcknowledgePartition,
    AcknowledgeTopic,
    ShareAcknowledgeRequest,
    ShareAcknowledgeResponse,
)
from kstream.wire.messages.share_fetch import FetchPartition, FetchTopic, ShareFetchRequest
from tests.api.data_plane import batch, delete, opened, produced, run

PARTITIONS = 2
RECORDS = 40


@asynccontextmanager
async def shared(tmp_path: Path, *groups: str) -> AsyncIterator[Broker]:
    """A broker with records in topic `t`, which these groups begin with."""
    async with opened(tmp_path, "t") as broker:
        topic_id = broker.metadata.image.topics_by_name["t"].topic_id
        for group_id in groups:
            wanted = [PartitionData(partition=index, start_offset=0) for index in range(PARTITIONS)]
            await broker.share_states.initialize(
                InitializeShareGroupStateRequest(
                    group_id=group_id, topics=[InitializeStateData(topic_id=topic_id, partitions=wanted)]
                )
            )
        for index in range(PARTITIONS):
            await produced(broker, batch(*[b"v"] * RECORDS), partition=index)
        yield broker


class Member:
    """The only member of a group, on a connection that remembers what it says, or never does."""

    def __init__(self, broker: Broker, group_id: str, *, remembers: bool, version: int = 2) -> None:
        self.context = RequestContext(broker, api_version=2, connection_id=ord(group_id[0]))
        self.group_id = group_id
        self.epoch = 0
        self.version = version
        self._topic_id = broker.metadata.image.topics_by_name["t"].topic_id
        self._remembers = remembers
        self._dispatcher = Dispatcher(registry.load())

    def key(self, partition: int) -> ShareKey:
        return ShareKey(self.group_id, self._topic_id, partition)

    async def fetch(self) -> None:
        self.context.api_version = 2
        response = await share_fetch.handle(
            self.context,
            ShareFetchRequest(
                group_id=self.group_id,
                member_id="member",
                share_session_epoch=self.epoch,
                min_bytes=1,
                max_bytes=1 << 20,
                max_records=PARTITIONS * RECORDS,
                batch_size=RECORDS,
                topics=[
                    FetchTopic(
                        topic_id=self._topic_id,
                        partitions=[FetchPartition(partition_index=index) for index in range(PARTITIONS)],
                    )
                ],
            ),
        )
        assert response.error_code == 0
        self.epoch += 1

    async def acknowledge(
        self,
        partition: int,
        *ranges: tuple[int, int, int],
        epoch_step: int = 0,
        correlation_id: int = 7,
        client_id: str = "client",
    ) -> bytes:
        """The answer's frame. Ranges are (first, last, type)."""
        batches = [
            AcknowledgementBatch(first_offset=first, last_offset=last, acknowledge_types=[kind])
            for first, last, kind in ranges
        ]
        wanted = AcknowledgePartition(partition_index=partition, acknowledgement_batches=batches)
        request = ShareAcknowledgeRequest(
            group_id=self.group_id,
            member_id="member",
            share_session_epoch=self.epoch + epoch_step,
            topics=[AcknowledgeTopic(topic_id=self._topic_id, partitions=[wanted])],
        )
        if not epoch_step:
            self.epoch += 1
        if not self._remembers:
            self.context.acks = None
        frame = request_frame(request, self.version, correlation_id, client_id)
        parts = await self._dispatcher.answer(memoryview(frame)[4:], self.context)
        return b"".join(cast("list[bytes]", parts))

    def decoded(self) -> list[int]:
        """Has an entry for each request that is decoded from now on."""
        decoded: list[int] = []
        endpoint = self._dispatcher._endpoints[(ApiKey.SHARE_ACKNOWLEDGE, 2)]
        decode_it = endpoint.decode

        def decode_and_count(frame: memoryview, at: int) -> tuple[Any, int]:
            decoded.append(at)
            return decode_it(frame, at)

        endpoint.decode = decode_and_count
        return decoded

    def error(self, answer: bytes) -> int:
        response = decode(ShareAcknowledgeResponse, answer, self.version, offset=9)
        if response.error_code:
            return int(response.error_code)
        return int(response.responses[0].partitions[0].error_code)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_said_is_answered_as_if_it_were_decoded(tmp_path: Path, seed: int, version: int) -> None:
    async def test() -> None:
        chance = random.Random(seed)
        async with shared(tmp_path, "a", "b") as broker:
            one = Member(broker, "a", remembers=True, version=version)
            other = Member(broker, "b", remembers=False, version=version)
            for member in (one, other):
                await member.fetch()
            seen = set()
            for number in range(150):
                first = chance.randrange(-1, RECORDS + 2)
                ranges = [
                    (first, first + chance.choice((0, 0, 0, 0, 2, -1)), chance.choice((1, 1, 1, 0, 2, 3, 4)))
                ]
                if chance.random() < 0.1:
                    ranges.append((first + 5, first + 5, 1))
                partition = chance.choice((0, 0, 1, 1, PARTITIONS))
                options = {
                    "epoch_step": chance.choice((0,) * 10 + (1, 3)),
                    "correlation_id": number * 1_000_003,
                }
                client_id = chance.choice(("client",) * 5 + ("another",))
                answers = [
                    await member.acknowledge(partition, *ranges, client_id=client_id, **options)
                    for member in (one, other)
                ]
                assert answers[0] == answers[1]
                seen.add(one.error(answers[0]))
            assert {0, 121, 123} <= seen
            for index in range(PARTITIONS):
                shares = [broker.shares.find(member.key(index)) for member in (one, other)]
                states = [
                    [share.state_of(offset) for offset in range(RECORDS)]
                    for share in shares
                    if share is not None
                ]
                assert len(states) == 2
                assert states[0] == states[1]

    run(test)


def test_what_repeats_is_not_decoded_and_counts_as_others_do(tmp_path: Path) -> None:
    async def test() -> None:
        async with shared(tmp_path, "a") as broker:
            member = Member(broker, "a", remembers=True)
            await member.fetch()
            assert member.error(await member.acknowledge(0, (0, 0, AcknowledgeType.ACCEPT))) == 0
            assert member.context.acks is not None
            stats = broker.stats.of(ApiKey.SHARE_ACKNOWLEDGE, 2)
            assert member.context.stats is stats
            member.context.stats = broker.stats.unserved
            decoded = member.decoded()
            for offset in range(1, 10):
                assert (
                    member.error(await member.acknowledge(0, (offset, offset, AcknowledgeType.ACCEPT))) == 0
                )
            assert not decoded
            assert member.context.stats is stats
            again = await member.acknowledge(0, (5, 5, AcknowledgeType.ACCEPT))
            assert member.error(again) == 0  # below the window, as Kafka answers
            behind = await member.acknowledge(0, (RECORDS, RECORDS, AcknowledgeType.ACCEPT))
            assert member.error(behind) == ErrorCode.INVALID_REQUEST
            assert not decoded
            assert stats.errors[ErrorCode.INVALID_REQUEST] == 1

    run(test)


def test_another_configuration_of_the_group_is_told(tmp_path: Path) -> None:
    async def test() -> None:
        async with shared(tmp_path, "a") as broker:
            member = Member(broker, "a", remembers=True)
            await member.fetch()
            for offset in range(3):
                answer = await member.acknowledge(0, (offset, offset, AcknowledgeType.ACCEPT))
            assert decode(ShareAcknowledgeResponse, answer, 2, offset=9).acquisition_lock_timeout_ms == 30_000
            change = KeyChange("share.record.lock.duration.ms", Operation.SET, "20000")
            changes = [ResourceChange(ResourceType.GROUP, "a", [change])]
            await broker.metadata.update(lambda image: alter_configs(image, broker.config, changes))
            answer = await member.acknowledge(0, (3, 3, AcknowledgeType.ACCEPT))
            assert decode(ShareAcknowledgeResponse, answer, 2, offset=9).acquisition_lock_timeout_ms == 20_000

    run(test)


async def repeating(broker: Broker) -> Member:
    """A member whose acknowledgements of partition 0 are known; records from 2 on are left to it."""
    member = Member(broker, "a", remembers=True)
    await member.fetch()
    for offset in range(2):
        assert member.error(await member.acknowledge(0, (offset, offset, AcknowledgeType.ACCEPT))) == 0
    return member


def test_a_repeat_finds_that_the_topic_is_gone(tmp_path: Path) -> None:
    async def test() -> None:
        async with shared(tmp_path, "a") as broker:
            member = await repeating(broker)
            await delete(broker, "t")
            answer = await member.acknowledge(0, (2, 2, AcknowledgeType.ACCEPT))
            assert member.error(answer) == ErrorCode.UNKNOWN_TOPIC_ID

    run(test)


def test_a_repeat_finds_that_there_are_no_share_groups_any_more(tmp_path: Path) -> None:
    async def test() -> None:
        async with shared(tmp_path, "a") as broker:
            member = await repeating(broker)
            none = FeatureUpdate(SHARE_VERSION, 0, UpgradeType.UNSAFE_DOWNGRADE)
            await broker.metadata.update(lambda image: update_features(image, [none]))
            answer = await member.acknowledge(0, (2, 2, AcknowledgeType.ACCEPT))
            assert member.error(answer) == ErrorCode.UNSUPPORTED_VERSION

    run(test)


def test_a_repeat_is_measured_as_soon_as_there_is_a_quota(tmp_path: Path) -> None:
    async def test() -> None:
        async with shared(tmp_path, "a") as broker:
            member = await repeating(broker)
            decoded = member.decoded()

            async def limit(value: float | None) -> None:
                change = EntityChange((("client-id", "client"),), [QuotaChange("request_percentage", value)])
                (altered,) = await broker.metadata.update(lambda image: alter_client_quotas(image, [change]))
                assert altered.error is None

            for value in (50.0, None):
                await limit(value)
                assert member.error(await member.acknowledge(0, (2, 2, AcknowledgeType.ACCEPT))) == 0
                assert len(decoded) == 1, "with a quota alone"

    run(test)
