"""A fetch session looks only at partitions that may have news, and answers as one that looks at all."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from kstream.api import delete_records
from kstream.api.context import RequestContext
from kstream.broker.broker import Broker
from kstream.broker.partition import Partition
from kstream.broker.replica import LocalReplica
from kstream.errors import ApiError
from kstream.log.config import INT64_MAX
from kstream.log.partition import Origin
from kstream.records.batch import BatchHeader, iter_headers, read_header
from kstream.records.control import end_txn_batch
from kstream.testing.settling import wait_all_idle
from kstream.wire.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from kstream.wire.messages.fetch import (
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    ForgottenTopic,
    PartitionData,
)
from tests.api.data_plane import NOW_MS, batch, bytes_of, delete, fetched, opened, run

_TOPICS = ("t", "u")
_PARTITIONS = 2
_NAMES, _IDS = 12, 13
_PRODUCER_ID = 7
_WAIT_MS = 60_000

Key = tuple[str, int]
_KEYS: list[Key] = [(topic, index) for topic in _TOPICS for index in range(_PARTITIONS)]


@dataclass
class _Reader:
    """A consumer in a session. One that `looks_at_all` has the server forget what it knows of changes."""

    broker: Broker
    version: int
    ids: dict[str, bytes]
    looks_at_all: bool
    session_id: int = 0
    epoch: int = 0
    answer: FetchResponse | None = None

    async def ask(self, request: FetchRequest) -> None:
        """Fetch in the session, and begin a new one if it is gone."""
        request = copy(request)
        request.session_id, request.session_epoch = self.session_id, self.epoch
        session = self.broker.fetch_sessions.peek(self.session_id)
        if session is not None and self.looks_at_all:
            session.changed.update(session.partitions.values())
        self.answer = None
        answer = await fetched(self.broker, request, version=self.version)
        self.epoch = self.epoch + 1 if answer.session_id and not answer.error_code else 0
        self.session_id = answer.session_id
        self.answer = answer

    def said(self) -> list[object]:
        """What the answer says, but for the session's number."""
        assert self.answer is not None
        return [
            self.answer.error_code,
            [
                (
                    topic.topic or topic.topic_id,
                    data.partition_index,
                    data.error_code,
                    data.high_watermark,
                    data.last_stable_offset,
                    data.log_start_offset,
                    data.diverging_epoch,
                    data.aborted_transactions,
                    bytes_of(data),
                )
                for topic in self.answer.responses
                for data in topic.partitions
            ],
        ]


@dataclass
class _Step:
    """Something happens, before a request or while it waits."""

    action: Callable[[Broker, Key], Awaitable[None]]
    key: Key
    happens_while_waiting: bool
    asked: list[tuple[Key, int, int]] = field(default_factory=list)
    """Partitions that are asked for anew: from which offset, with which last fetched epoch."""
    forgotten: list[Key] = field(default_factory=list)
    follows: bool = True
    """Whether the reader goes on behind what it got."""
    isolation_level: int = 0
    max_bytes: int = 1 << 20
    min_bytes: int = 1


async def _nothing(broker: Broker, key: Key) -> None:
    pass


async def _append(broker: Broker, key: Key, *, is_transactional: bool = False) -> None:
    partition = await _found(broker, key)
    if partition is None:
        return
    records = batch(b"x" * 20)
    if is_transactional:
        known = partition.log.producers.entries.get(_PRODUCER_ID)
        records = batch(
            b"y" * 20,
            producer_id=_PRODUCER_ID,
            producer_epoch=0,
            base_sequence=known.batches[-1].last_sequence + 1 if known is not None and known.batches else 0,
            is_transactional=True,
        )
    await partition.append(memoryview(bytearray(records)), (read_header(records),), now_ms=NOW_MS)


async def _append_at_once(broker: Broker, key: Key) -> None:
    partition = await _found(broker, key)
    if partition is not None and partition.appends_at_once:
        records = batch(b"z" * 20)
        partition.append_at_once(records, (read_header(records),), now_ms=NOW_MS)


async def _append_in_transaction(broker: Broker, key: Key) -> None:
    await _append(broker, key, is_transactional=True)


async def _end_transaction(broker: Broker, key: Key) -> None:
    partition = await _found(broker, key)
    if partition is not None and partition.log.producers.first_unstable_offset is not None:
        marker = end_txn_batch(
            is_commit=False,
            producer_id=_PRODUCER_ID,
            producer_epoch=0,
            coordinator_epoch=0,
            timestamp_ms=NOW_MS,
        )
        header = read_header(marker)
        await partition.append(marker, (header,), now_ms=NOW_MS, origin=Origin.COORDINATOR)


async def _delete_records(broker: Broker, key: Key) -> None:
    wanted = DeleteRecordsPartition(partition_index=key[1], offset=-1)
    request = DeleteRecordsRequest(topics=[DeleteRecordsTopic(name=key[0], partitions=[wanted])])
    await delete_records.handle(RequestContext(broker, api_version=2), request)


async def _begin_epoch(broker: Broker, key: Key) -> None:
    partition = await _found(broker, key)
    if partition is not None:
        partition.begin_epoch(partition.leader_epoch + 1)


async def _make_durable(broker: Broker, key: Key) -> None:
    partition = await _found(broker, key)
    if partition is not None:
        messages = INT64_MAX if partition.is_durable else 1
        partition.configure(replace(partition.log.config, flush_messages=messages))


async def _delete_or_create(broker: Broker, key: Key) -> None:
    if key[0] in broker.metadata.image.topics_by_name:
        await delete(broker, key[0])
    else:
        await broker.create_missing_topics([(key[0], _PARTITIONS)])


async def _found(broker: Broker, key: Key) -> Partition | None:
    try:
        return await broker.partitions.get(*key)
    except ApiError:
        return None


_ACTIONS = [
    *[_append] * 4,
    _nothing,
    _append_at_once,
    _append_in_transaction,
    _end_transaction,
    _delete_records,
    _begin_epoch,
    _make_durable,
    _delete_or_create,
]
_keys = st.sampled_from(_KEYS)
_steps = st.builds(
    _Step,
    action=st.sampled_from(_ACTIONS),
    key=_keys,
    happens_while_waiting=st.booleans(),
    asked=st.lists(st.tuples(_keys, st.integers(0, 4), st.integers(-1, 1)), max_size=1),
    forgotten=st.lists(_keys, max_size=1) | st.just([]),
    follows=st.sampled_from([True, True, True, False]),
    isolation_level=st.sampled_from([0, 0, 0, 1]),
    max_bytes=st.sampled_from([1 << 20, 1 << 20, 150]),
    min_bytes=st.sampled_from([1, 1, 250]),
)


@settings(max_examples=60)
@given(steps=st.lists(_steps, max_size=20), version=st.sampled_from([_NAMES, _IDS]))
def test_a_session_that_looks_at_changes_answers_as_one_that_looks_at_all(
    steps: list[_Step], version: int
) -> None:
    async def test() -> None:
        with tempfile.TemporaryDirectory() as directory:
            async with opened(Path(directory), *_TOPICS) as broker:
                await _compare(broker, steps, version)

    run(test, virtual_time=True)


async def _compare(broker: Broker, steps: list[_Step], version: int) -> None:
    ids = {name: broker.metadata.image.topics_by_name[name].topic_id for name in _TOPICS}
    reader, thorough = (_Reader(broker, version, ids, looks_at_all=each) for each in (False, True))
    news: dict[Key, tuple[int, int]] = {}
    for step in steps:
        if not step.happens_while_waiting:
            await step.action(broker, step.key)
        wanted = dict.fromkeys(_KEYS, (0, -1)) if reader.session_id == 0 else dict(news)
        wanted.update({key: (offset, epoch) for key, offset, epoch in step.asked})
        request = _request(wanted, step, ids)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reader.ask, request)
            nursery.start_soon(thorough.ask, request)
            await wait_all_idle()
            if step.happens_while_waiting:
                await step.action(broker, step.key)
                await wait_all_idle()
                assert (reader.answer is None) == (thorough.answer is None)
        assert reader.said() == thorough.said(), step
        news = _read_on(reader.answer, ids) if step.follows else {}
    _check_followers(broker)


def _request(wanted: dict[Key, tuple[int, int]], step: _Step, ids: dict[str, bytes]) -> FetchRequest:
    return FetchRequest(
        max_wait_ms=_WAIT_MS if step.happens_while_waiting else 0,
        min_bytes=step.min_bytes,
        max_bytes=step.max_bytes,
        isolation_level=step.isolation_level,
        topics=[
            FetchTopic(
                topic=topic,
                topic_id=ids[topic],
                partitions=[
                    FetchPartition(
                        partition=index,
                        fetch_offset=offset,
                        last_fetched_epoch=epoch,
                        partition_max_bytes=step.max_bytes,
                    )
                ],
            )
            for (topic, index), (offset, epoch) in wanted.items()
        ],
        forgotten_topics_data=[
            ForgottenTopic(topic=topic, topic_id=ids[topic], partitions=[index])
            for topic, index in step.forgotten
        ],
    )


def _read_on(answer: FetchResponse | None, ids: dict[str, bytes]) -> dict[Key, tuple[int, int]]:
    """Where a reader goes on that has read what it got."""
    assert answer is not None
    names = {topic_id: name for name, topic_id in ids.items()}
    return {
        (topic.topic or names[topic.topic_id], data.partition_index): (_batches(data)[-1].last_offset + 1, -1)
        for topic in answer.responses
        for data in topic.partitions
        if _batches(data)
    }


def _batches(data: PartitionData) -> list[BatchHeader]:
    return list(iter_headers(bytes_of(data), partial_ok=True))


def _check_followers(broker: Broker) -> None:
    """Nothing that is gone is told of changes."""
    sessions = list(broker.fetch_sessions)
    remembered = {id(each) for session in sessions for each in session.partitions.values()}
    for partition in broker.partitions.opened():
        assert {id(each) for each in partition.followers} <= remembered
    for session in sessions:
        assert {id(each) for each in session.changed} <= remembered


def test_what_did_not_change_is_not_looked_at(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, *_TOPICS) as broker:
            ids = dict.fromkeys(_TOPICS, b"")
            reader = _Reader(broker, _NAMES, ids, looks_at_all=False)
            step = _Step(_nothing, _KEYS[0], happens_while_waiting=False)
            await reader.ask(_request(dict.fromkeys(_KEYS, (0, -1)), step, ids))
            partitions = [await broker.partitions.get(*key) for key in _KEYS]
            before = [each.traffic.reads for each in partitions]
            await _append(broker, _KEYS[2])
            await reader.ask(_request({}, step, ids))
            assert [each.traffic.reads - was for each, was in zip(partitions, before, strict=True)] == [
                int(key == _KEYS[2]) for key in _KEYS
            ]

    run(test)


def test_another_isolation_level_looks_at_everything(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path, *_TOPICS) as broker:
            ids = dict.fromkeys(_TOPICS, b"")
            reader = _Reader(broker, _NAMES, ids, looks_at_all=False)
            await _append_in_transaction(broker, _KEYS[0])
            committed = _Step(_nothing, _KEYS[0], happens_while_waiting=False, isolation_level=1)
            await reader.ask(_request(dict.fromkeys(_KEYS, (0, -1)), committed, ids))
            await reader.ask(_request({}, committed, ids))
            assert _read_on(reader.answer, ids) == {}
            await reader.ask(_request({}, replace(committed, isolation_level=0), ids))
            assert _read_on(reader.answer, ids) == {_KEYS[0]: (1, -1)}

    run(test)


class _HeldReplica(LocalReplica):
    """A replica whose disk takes its time."""

    async def flush(self) -> int:
        await trio.sleep_forever()
        raise AssertionError("unreachable")


def test_a_change_of_configuration_is_looked_at(tmp_path: Path) -> None:
    """A topic that need not be durable any more shows at once what is not on the disk yet."""

    async def test() -> None:
        async with opened(tmp_path, *_TOPICS) as broker, trio.open_nursery() as nursery:
            key, ids = _KEYS[0], dict.fromkeys(_TOPICS, b"")
            await _make_durable(broker, key)
            partition = await broker.partitions.get(*key)
            partition.replica = _HeldReplica(partition.log)
            reader = _Reader(broker, _NAMES, ids, looks_at_all=False)
            step = _Step(_nothing, key, happens_while_waiting=False)
            await reader.ask(_request(dict.fromkeys(_KEYS, (0, -1)), step, ids))
            nursery.start_soon(_append, broker, key)
            await wait_all_idle()
            await reader.ask(_request({}, step, ids))
            assert _read_on(reader.answer, ids) == {}
            await _make_durable(broker, key)  # and back
            await reader.ask(_request({}, step, ids))
            assert _read_on(reader.answer, ids) == {key: (1, -1)}
            nursery.cancel_scope.cancel()

    run(test)


def test_who_got_data_is_served_last_next_time(tmp_path: Path) -> None:
    """Answers have room for one batch: without turns, who is first would have all of them."""

    async def test() -> None:
        async with opened(tmp_path, *_TOPICS) as broker:
            ids = dict.fromkeys(_TOPICS, b"")
            for key in _KEYS * 3:
                await _append(broker, key)
            reader = _Reader(broker, _NAMES, ids, looks_at_all=False)
            step = _Step(_nothing, _KEYS[0], happens_while_waiting=False, max_bytes=1)
            news = dict.fromkeys(_KEYS, (0, -1))
            served: list[Key] = []
            for _ in range(2 * len(_KEYS) + 1):
                await reader.ask(_request(news, step, ids))
                news = _read_on(reader.answer, ids)
                served += news
            # The first answer begins the session, and counts for no turn.
            assert served == [_KEYS[0], *_KEYS, *_KEYS]

    run(test)
