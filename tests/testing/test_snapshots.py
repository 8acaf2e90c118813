"""Whole states: kept, gone back to, forked, loaded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import trio
from confluent_kafka import Consumer, Producer, TopicPartition

from kstream.log.errors import UnusableDirectory
from kstream.replay.errors import ReplayError
from kstream.replay.jsonl import to_line
from kstream.testing import Broker


def _values(broker: Broker, topic: str = "t") -> list[bytes | None]:
    return [event.value for event in broker.records(topic)]


def _commit(broker: Broker, group: str, offset: int) -> None:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": group})
    consumer.commit(offsets=[TopicPartition("t", 0, offset)], asynchronous=False)
    consumer.close()


def test_a_fork_has_everything_and_goes_its_own_way() -> None:
    with Broker({"t": 2}, group_max_size=7) as broker:
        for number in range(50):
            broker.produce("t", str(number), partition=number % 2)
        _commit(broker, "g", 3)
        broker.clock.advance(hours=1)
        with broker.fork() as fork:
            assert fork.bootstrap_servers != broker.bootstrap_servers
            assert fork.records("t") == broker.records("t")
            assert fork.committed("g") == {("t", 0): 3}
            assert abs(fork.clock.now_ms() - broker.clock.now_ms()) < 60_000
            fork.produce("t", "there")
            broker.produce("t", "here")
            fork.delete_topic("t")
            _commit(broker, "g", 4)
            assert fork.committed("g") == {}
        assert len(_values(broker)) == 51
        assert broker.committed("g") == {("t", 0): 4}


def test_a_fork_of_many_segments_shares_none_that_changes(tmp_path: Path) -> None:
    with Broker(data_dir=tmp_path / "data") as broker:
        broker.topic("t", segment_bytes=1 << 20)
        for number in range(30):
            broker.produce("t", str(number % 10) * 100_000)
        before = broker.records("t")
        snapshot = broker.snapshot(tmp_path / "kept")
        for _ in range(30):
            broker.produce("t", "later" * 20_000)
        with Broker(data_dir=snapshot.path) as other:
            assert other.records("t") == before
            other.produce("t", "x" * 2000)
        logs = sorted((tmp_path / "kept/t-0").glob("*.log"))
        assert len(logs) > 2
        assert logs[0].stat().st_nlink == 2
        assert len(broker.records("t")) == 60


def test_an_open_transaction_is_open_in_the_fork() -> None:
    with Broker(["t"]) as broker:
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "transactional.id": "x"})
        producer.init_transactions(60)
        producer.begin_transaction()
        producer.produce("t", "open")
        producer.flush(60)
        with broker.fork() as fork:
            producer.commit_transaction(60)
            broker.wait_for(lambda: _values(broker) == [b"open"])
            assert "a transaction is open from 0" in fork.report()
            fork.clock.advance(minutes=2)
            fork.wait_for(lambda: "is open" not in fork.report())
            assert _values(fork) == []


def test_restore_goes_back_with_clients_connected() -> None:
    with Broker(["t"]) as broker:
        address = broker.bootstrap_servers
        producer = Producer(
            {"bootstrap.servers": address, "log_level": 0, "reconnect.backoff.ms": 20, "retry.backoff.ms": 20}
        )
        broker.produce("t", "kept")
        _commit(broker, "g", 1)
        snapshot = broker.snapshot()
        for _ in range(2):
            producer.produce("t", "undone")
            assert producer.flush(60) == 0
            broker.topic("undone")
            _commit(broker, "g", 2)
            broker.restore(snapshot)
            assert broker.bootstrap_servers == address
            assert _values(broker) == [b"kept"]
            assert broker.committed("g") == {("t", 0): 1}
            assert "undone" not in broker.report()
        folder = snapshot.path
        assert folder.exists()
    assert not folder.exists()


def test_a_snapshot_needs_a_place_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    with Broker() as broker, pytest.raises(UnusableDirectory, match="not empty: choose another"):
        broker.snapshot(tmp_path)


def test_load_is_lossless(tmp_path: Path) -> None:
    with Broker({"orders": 3}) as broker:
        broker.produce("orders", b"\xff\x00", key="k", headers=[("h", None), ("h", b"\xfe")], timestamp_ms=5)
        broker.produce("orders", None, key="k", partition=2)
        broker.produce("orders", "", partition=1, timestamp_ms=7)
        events = broker.records("orders")
        file = tmp_path / "copied.jsonl"
        file.write_text("".join(to_line(event) + "\n" for event in events))
        assert broker.load(file) == 3
        assert broker.records("copied") == events
        assert broker.load(str(file), "orders") == 3
        assert len(broker.records("orders")) == 6
        file.write_text('{"value": "1"}\n{"valve": "2"}\n')
        with pytest.raises(ReplayError, match=r"copied\.jsonl, line 2"):
            broker.load(file)


def test_async_with_in_trio_and_asyncio() -> None:
    async def main() -> list[bytes | None]:
        async with Broker(["t"]) as broker:
            broker.produce("t", "v")
            return _values(broker)

    assert trio.run(main) == asyncio.run(main()) == [b"v"]
