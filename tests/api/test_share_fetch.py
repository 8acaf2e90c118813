"""Share fetches at work: what they wait for, what they leave out, and what becomes of who goes away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from kstream.api import share_acknowledge, share_fetch
from kstream.api.context import RequestContext
from kstream.broker.broker import Broker
from kstream.broker.log_cleaner import LogCleaner
from kstream.broker.metadata.alter_configs import KeyChange, Operation, ResourceChange, alter_configs
from kstream.broker.metadata.image import ResourceType
from kstream.broker.partition import Partition
from kstream.log.partition import Origin
from kstream.records.batch import iter_headers, read_header
from kstream.records.control import end_txn_batch
from kstream.shares.limits import AcknowledgeType
from kstream.shares.state_store import ShareKey
from kstream.testing.settling import wait_all_idle
from kstream.wire.messages.initialize_share_group_state import (
    InitializeShareGroupStateRequest,
    InitializeStateData,
)
from kstream.wire.messages.initialize_share_group_state import PartitionData as InitializedPartition
from kstream.wire.messages.share_acknowledge import (
    AcknowledgementBatch,
    AcknowledgePartition,
    AcknowledgeTopic,
    ShareAcknowledgeRequest,
)
from kstream.wire.messages.share_fetch import FetchPartition, FetchTopic, ShareFetchRequest
from tests.api.data_plane import NOW_MS, batch, create, opened, produced, run

Acquired = list[tuple[int, int, int]]


class Member:
    """A member of group `g` with a connection of its own, reading partition 0 of `t`."""

    def __init__(self, broker: Broker, member_id: str, connection_id: int) -> None:
        self.context = RequestContext(broker, api_version=2, connection_id=connection_id)
        self.topic_id = broker.metadata.image.topics_by_name["t"].topic_id
        self.member_id = member_id
        self.epoch = 0

    async def fetch(self, max_wait_ms: int = 0, **fields: Any) -> Acquired:
        """What it acquires."""
        partitions = [FetchPartition(partition_index=0)] if not self.epoch else []
        values: dict[str, Any] = {"min_bytes": 1, "max_records": 500, "batch_size": 500} | fields
        request = ShareFetchRequest(
            group_id="g",
            member_id=self.member_id,
            share_session_epoch=self.epoch,
            max_wait_ms=max_wait_ms,
            topics=[FetchTopic(topic_id=self.topic_id, partitions=partitions)] if partitions else [],
            **values,
        )
        self.epoch += 1
        response = await share_fetch.handle(self.context, request)
        assert response.error_code == 0
        found = [each for topic in response.responses for each in topic.partitions]
        assert all(each.error_code == 0 for each in found)
        return [
            (acquired.first_offset, acquired.last_offset, acquired.delivery_count)
            for each in found
            for acquired in each.acquired_records
        ]

    async def acknowledge(self, first: int, last: int, kind: AcknowledgeType) -> int:
        """The partition's error code."""
        acknowledged = AcknowledgementBatch(
            first_offset=first, last_offset=last, acknowledge_types=[int(kind)]
        )
        partition = AcknowledgePartition(partition_index=0, acknowledgement_batches=[acknowledged])
        request = ShareAcknowledgeRequest(
            group_id="g",
            member_id=self.member_id,
            share_session_epoch=self.epoch,
            topics=[AcknowledgeTopic(topic_id=self.topic_id, partitions=[partition])],
        )
        self.epoch += 1
        response = await share_acknowledge.handle(self.context, request)
        return response.responses[0].partitions[0].error_code


@asynccontextmanager
async def queue(tmp_path: Path, **settings: str) -> AsyncIterator[Broker]:
    """A broker with topic `t`, whose group `g` begins at its beginning; its clocks run."""
    async with opened(tmp_path, "t", **settings) as broker, trio.open_nursery() as nursery:
        nursery.start_soon(broker.shares.run_forever)
        topic_id = broker.metadata.image.topics_by_name["t"].topic_id
        wanted = [InitializedPartition(partition=0, start_offset=0)]
        await broker.share_states.initialize(
            InitializeShareGroupStateRequest(
                group_id="g", topics=[InitializeStateData(topic_id=topic_id, partitions=wanted)]
            )
        )
        yield broker
        nursery.cancel_scope.cancel()


async def _waits_for(member: Member, nursery: trio.Nursery, got: list[Acquired]) -> None:
    async def wait() -> None:
        got.append(await member.fetch(max_wait_ms=60_000))

    nursery.start_soon(wait)
    await wait_all_idle()
    assert not got


def test_an_append_wakes_who_waits(tmp_path: Path) -> None:
    async def test() -> None:
        async with queue(tmp_path) as broker, trio.open_nursery() as nursery:
            got: list[Acquired] = []
            await _waits_for(Member(broker, "m", 1), nursery, got)
            await produced(broker, batch(b"a", b"b"))
            await wait_all_idle()
            assert got == [[(0, 1, 1)]]

    run(test)


def test_while_there_is_something_nobody_waits_for_time_to_pass(tmp_path: Path) -> None:
    """More members than the window has room for: each that waits is woken by those that acknowledge."""
    records, batch_records, members = 12_000, 100, 8

    async def test() -> None:
        async with queue(tmp_path) as broker:
            for _ in range(records // batch_records):
                await produced(broker, batch(*[b"v"] * batch_records))
            began_s = trio.current_time()
            had = 0

            async def work(member: Member) -> None:
                nonlocal had
                while had < records:
                    got = await member.fetch(max_wait_ms=10_000)
                    if got:
                        had += sum(last - first + 1 for first, last, _ in got)
                        assert trio.current_time() == began_s, "somebody waited in vain"
                    for first, last, _ in got:
                        assert await member.acknowledge(first, last, AcknowledgeType.ACCEPT) == 0

            async with trio.open_nursery() as nursery:
                for number in range(members):
                    nursery.start_soon(work, Member(broker, f"m{number}", number))
            assert had == records

    run(test, virtual_time=True)


def test_after_small_records_large_ones_come_as_many_at_once(tmp_path: Path) -> None:
    """What is read at first follows from the last fetch; that is nobody's concern."""

    async def test() -> None:
        async with queue(tmp_path) as broker:
            await produced(broker, batch(b"a"))
            for _ in range(30):
                await produced(broker, batch(b"x" * 100_000))
            member = Member(broker, "m", 1)
            assert await member.fetch(max_records=1, share_acquire_mode=1) == [(0, 0, 1)]
            assert await member.fetch(max_records=1, share_acquire_mode=1) == [(1, 1, 1)]
            assert await member.fetch(max_records=500, max_bytes=50_000_000, batch_size=500) == [(2, 30, 1)]

    run(test)


def test_what_one_releases_wakes_another(tmp_path: Path) -> None:
    async def test() -> None:
        async with queue(tmp_path) as broker, trio.open_nursery() as nursery:
            await produced(broker, batch(b"a", b"b"))
            one, other = Member(broker, "one", 1), Member(broker, "other", 2)
            assert await one.fetch() == [(0, 1, 1)]
            got: list[Acquired] = []
            await _waits_for(other, nursery, got)
            assert await one.acknowledge(1, 1, AcknowledgeType.RELEASE) == 0
            await wait_all_idle()
            assert got == [[(1, 1, 2)]]

    run(test)


def test_a_lock_that_expires_wakes_another_and_its_owner_has_lost_the_record(tmp_path: Path) -> None:
    async def test() -> None:
        async with queue(tmp_path) as broker:
            await produced(broker, batch(b"a"))
            one, other = Member(broker, "one", 1), Member(broker, "other", 2)
            assert await one.fetch() == [(0, 0, 1)]
            began_s = trio.current_time()
            assert await other.fetch(max_wait_ms=60_000) == [(0, 0, 2)]
            assert 30 <= trio.current_time() - began_s < 31
            assert await one.acknowledge(0, 0, AcknowledgeType.ACCEPT) == 121
            assert await other.acknowledge(0, 0, AcknowledgeType.ACCEPT) == 0

    run(test, virtual_time=True)


def test_a_member_whose_connection_ends_leaves_its_records_to_others(tmp_path: Path) -> None:
    async def test() -> None:
        async with queue(tmp_path) as broker, trio.open_nursery() as nursery:
            await produced(broker, batch(b"a", b"b"))
            one, other = Member(broker, "one", 1), Member(broker, "other", 2)
            assert await one.fetch() == [(0, 1, 1)]
            got: list[Acquired] = []
            await _waits_for(other, nursery, got)
            broker.shares.on_disconnected(1)
            await wait_all_idle()
            assert got == [[(0, 1, 2)]]

    run(test)


def test_what_the_last_member_gave_up_becomes_a_dead_letter_though_it_leaves(tmp_path: Path) -> None:
    async def test() -> None:
        async with queue(tmp_path) as broker:
            await create(broker, "dlq.t", errors_deadletterqueue_group_enable="true")
            await _configure(broker, "errors.deadletterqueue.topic.name", "dlq.t")
            await produced(broker, batch(b"a"))
            member = Member(broker, "m", 1)
            assert await member.fetch() == [(0, 0, 1)]
            assert await member.acknowledge(0, 0, AcknowledgeType.REJECT) == 0
            broker.shares.on_disconnected(1)
            await wait_all_idle()
            assert (await broker.partitions.get("dlq.t", 0)).high_watermark == 1
            topic_id = broker.metadata.image.topics_by_name["t"].topic_id
            assert broker.shares.find(ShareKey("g", topic_id, 0)) is None

    run(test)


def test_a_full_window_takes_no_more_until_something_is_settled(tmp_path: Path) -> None:
    async def test() -> None:
        settings = {"group_share_partition_max_record_locks": "100"}
        async with queue(tmp_path, **settings) as broker, trio.open_nursery() as nursery:
            for _ in range(15):
                await produced(broker, batch(*(b"%d" % number for number in range(10))))
            member = Member(broker, "m", 1)
            assert await member.fetch() == [(0, 99, 1)]
            got: list[Acquired] = []
            other = Member(broker, "n", 2)
            await _waits_for(other, nursery, got)
            assert await member.acknowledge(0, 9, AcknowledgeType.ACCEPT) == 0
            await wait_all_idle()
            assert got == [[(100, 109, 1)]]

    run(test)


def test_records_the_log_has_lost_are_passed(tmp_path: Path) -> None:
    async def test() -> None:
        async with queue(tmp_path) as broker:
            for value in (b"a", b"b", b"c", b"d"):
                await produced(broker, batch(value))
            (await broker.partitions.get("t", 0)).log.delete_records(2)
            assert await Member(broker, "m", 1).fetch() == [(2, 3, 1)]

    run(test)


def test_compaction_underneath_takes_records_away_that_nobody_misses(tmp_path: Path) -> None:
    async def test() -> None:
        async with queue(tmp_path) as broker:
            change = [
                KeyChange("cleanup.policy", Operation.SET, "compact"),
                KeyChange("internal.segment.bytes", Operation.SET, "300"),
                KeyChange("min.cleanable.dirty.ratio", Operation.SET, "0"),
            ]
            await _alter(broker, ResourceType.TOPIC, "t", change)
            for number in range(20):
                await produced(broker, batch(b"%d" % number, key=b"k%d" % (number % 4)))
            member = Member(broker, "m", 1)
            assert await member.fetch(max_records=2, share_acquire_mode=1) == [(0, 1, 1)]
            assert await member.acknowledge(1, 1, AcknowledgeType.RELEASE) == 0

            assert await LogCleaner(broker).clean_filthiest()
            partition = await broker.partitions.get("t", 0)
            found = partition.log.read(0, 1 << 20)
            left = {header.base_offset for header in iter_headers(found.view())}
            found.release()
            assert not left & {0, 1}
            seen: set[int] = set()
            while acquired := await member.fetch():
                for first, last, _ in acquired:
                    seen.update(range(first, last + 1))
                    is_there = bool(left & set(range(first, last + 1)))
                    kind = AcknowledgeType.ACCEPT if is_there else AcknowledgeType.GAP
                    assert await member.acknowledge(first, last, kind) == 0
            assert left <= seen
            # What one has is its own, though the log has lost it.
            assert await member.acknowledge(0, 0, AcknowledgeType.ACCEPT) == 0
            share = broker.shares.find(ShareKey("g", member.topic_id, 0))
            assert share is not None
            assert share.window.start_offset == 20

    run(test)


def test_read_committed_waits_for_open_transactions_and_leaves_out_aborted_ones(tmp_path: Path) -> None:
    async def test() -> None:
        async with queue(tmp_path) as broker, trio.open_nursery() as nursery:
            await _configure(broker, "share.isolation.level", "read_committed")
            partition = await broker.partitions.get("t", 0)
            await _append(partition, batch(b"plain"))
            await _append(partition, _transactional(7, b"aborted", b"too"))
            await _append(partition, _transactional(8, b"committed"))
            member = Member(broker, "m", 1)
            assert await member.fetch() == [(0, 0, 1)]
            got: list[Acquired] = []
            await _waits_for(member, nursery, got)
            for producer_id, is_commit in ((7, False), (8, True)):
                marker = end_txn_batch(
                    is_commit=is_commit,
                    producer_id=producer_id,
                    producer_epoch=0,
                    coordinator_epoch=0,
                    timestamp_ms=NOW_MS,
                )
                await _append(partition, marker, Origin.COORDINATOR)
            await wait_all_idle()
            got.append(await member.fetch())
            offsets = {offset for each in got for first, last, _ in each for offset in range(first, last + 1)}
            # 4 and 5 are markers: clients say of them that there is no record.
            assert offsets == {3, 4, 5}

    run(test)


async def _append(partition: Partition, records: bytes, origin: Origin = Origin.CLIENT) -> None:
    await partition.append(records, (read_header(records),), now_ms=NOW_MS, origin=origin)


def _transactional(producer_id: int, *values: bytes) -> bytes:
    return batch(*values, producer_id=producer_id, producer_epoch=0, base_sequence=0, is_transactional=True)


async def _configure(broker: Broker, name: str, value: str) -> None:
    await _alter(broker, ResourceType.GROUP, "g", [KeyChange(name, Operation.SET, value)])


async def _alter(broker: Broker, kind: ResourceType, name: str, changes: list[KeyChange]) -> None:
    change = ResourceChange(kind, name, changes)
    (altered,) = await broker.metadata.update(lambda image: alter_configs(image, broker.config, [change]))
    assert altered.error is None
