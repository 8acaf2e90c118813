"""What reading only committed records costs: without any transactions, and behind a million aborted ones.

Small fetches, since a cost of each request shows in them and not beside a megabyte.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from benchmarks.goals import KSTREAM, Times
from benchmarks.part import Measure, Part, Server, Turn, Values
from kstream.records.batch import stamp
from kstream.records.builder import build_batch
from kstream.records.control import end_txn_batch
from kstream.testing.client import WireClient
from kstream.wire.codec import decode
from kstream.wire.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic

_VERSION = 11
_FETCHES = 40_000
_DEPTH = 64
_SLICES = 40
"""Each level's fetches come in so many parts, in turn, so that both meet the same machine."""
_RECORDS = 1_000
_ABORTED = 1_000_000
_WAIT_S = 120.0
_FETCHING_S_MAX = 20.0
_SLOW_S = 0.2
"""Fetches that take longer are asked for one by one: behind a million aborted transactions Apache Kafka reads
each entry of the index.
"""
_UNCOMMITTED, _COMMITTED = 0, 1
_LEVELS = {_UNCOMMITTED: "fetches-read-uncommitted", _COMMITTED: "fetches-read-committed"}
_BEHIND_ABORTED = "fetches-behind-aborted"
_PRODUCER_ID = 7


def no_transactions(turn: Turn) -> Values:
    """Fetch one record again and again, at both isolation levels, from a topic that has no transactions."""
    fetched, seconds = dict.fromkeys(_LEVELS, 0), dict.fromkeys(_LEVELS, 0.0)
    count = max(_DEPTH, turn.scale.at_most(_FETCHES) // _SLICES)
    with turn.topic() as topic:
        turn.load.requests(turn.bootstrap, topic, records=_RECORDS, size=100)
        with WireClient(*turn.server.address) as client:
            for _ in range(_SLICES):
                for level, name in _LEVELS.items():
                    request = _last_record(topic, _RECORDS - 1, level)
                    done, took_s = turn.on_server(name, partial(_fetch, client, request, count))
                    fetched[level] += done
                    seconds[level] += took_s
    return {name: fetched[level] / seconds[level] for level, name in _LEVELS.items()}


def behind_aborted(turn: Turn) -> Values:
    """The same from the end of a partition with a million aborted transactions, written before the start."""
    aborted = turn.scale.at_most(_ABORTED)
    turn.server.start()
    with turn.topic() as topic:
        turn.load.requests(turn.bootstrap, topic, records=1, size=100)  # then its folder is there
        turn.server.kill()
        partition = turn.server.folder / "data" / f"{topic}-0"
        (partition / f"{0:020}.log").write_bytes(_segment(turn.folder / f"aborted-{aborted}.log", aborted))
        turn.server.start()
        with WireClient(*turn.server.address, timeout_s=_WAIT_S) as client:
            request = _last_record(topic, 2 * aborted, _COMMITTED)
            _wait_for_record(client, request)
            count = max(_DEPTH, turn.scale.at_most(_FETCHES))
            done, took_s = turn.on_server(_BEHIND_ABORTED, partial(_fetch, client, request, count))
    return {_BEHIND_ABORTED: done / took_s}


def _segment(kept: Path, aborted: int) -> bytes:
    """Aborted transactions of one record each, and one record behind them; built once."""
    if not kept.exists():
        now_ms = int(time.time() * 1000)
        content = bytearray()
        for number in range(aborted):
            data = build_batch(
                [(now_ms, None, b"v")],
                producer_id=_PRODUCER_ID,
                producer_epoch=0,
                base_sequence=number,
                is_transactional=True,
            )
            marker = end_txn_batch(
                is_commit=False,
                producer_id=_PRODUCER_ID,
                producer_epoch=0,
                coordinator_epoch=0,
                timestamp_ms=now_ms,
            )
            content += _placed(data, 2 * number) + _placed(marker, 2 * number + 1)
        content += _placed(build_batch([(now_ms, None, b"the last one")]), 2 * aborted)
        kept.write_bytes(content)
    return kept.read_bytes()


def _placed(batch: bytes, offset: int) -> bytearray:
    placed = bytearray(batch)
    stamp(placed, offset, 0)
    return placed


def _last_record(topic: str, offset: int, isolation_level: int) -> FetchRequest:
    wanted = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1 << 20)
    return FetchRequest(
        max_wait_ms=0,
        min_bytes=1,
        max_bytes=1 << 20,
        isolation_level=isolation_level,
        topics=[FetchTopic(topic=topic, partitions=[wanted])],
    )


def _wait_for_record(client: WireClient, request: FetchRequest) -> None:
    """Until the partition is recovered and gives it. Raises TimeoutError."""
    end_s = time.monotonic() + _WAIT_S
    while True:
        found = client.request(request, _VERSION).responses[0].partitions[0]
        if found.records:
            assert not found.aborted_transactions
            return
        if time.monotonic() > end_s:
            raise TimeoutError(f"the partition answers with error {found.error_code}")
        time.sleep(0.1)


def _fetch(client: WireClient, request: FetchRequest, count: int) -> tuple[int, float]:
    """Ask so often, or for `_FETCHING_S_MAX`; how often it was, and the seconds it took.

    All answers must be the first.
    """
    frame = client.frame(request, _VERSION, 1)
    began_s = time.perf_counter()
    client.send_raw(frame)
    answer = client.receive_frame()
    depth = _DEPTH if time.perf_counter() - began_s < _SLOW_S else 1
    found = decode(FetchResponse, answer, _VERSION, offset=4).responses[0].partitions[0]
    if found.error_code or not found.records:
        raise RuntimeError(f"a fetch got error {found.error_code} and no record")
    wanted = (len(answer).to_bytes(4, "big") + answer) * depth
    done, took_s = 0, 0.0
    began_s = time.perf_counter()
    while done + depth <= count and took_s < _FETCHING_S_MAX:
        client.send_raw(frame * depth)
        if client.receive_raw(len(wanted)) != wanted:
            raise RuntimeError("the answers to one request differ")
        done += depth
        took_s = time.perf_counter() - began_s
    return done, took_s


_NO_KAFKA_LOG = "keeps no log in Kafka's format that could be prepared"
PARTS = [
    Part(
        name="read-committed",
        doc="One record fetched again and again from a topic without transactions, at both isolation levels",
        measures=(
            Measure(_LEVELS[_UNCOMMITTED], "requests/s", True),
            Measure(
                _LEVELS[_COMMITTED],
                "requests/s",
                True,
                goals=(Times(0.95, KSTREAM, of=_LEVELS[_UNCOMMITTED]),),
            ),
        ),
        run=no_transactions,
        rounds=3,
    ),
    Part(
        name="aborted-transactions",
        doc="The same, read_committed, from the end of a partition with a million aborted transactions",
        measures=(
            Measure(
                _BEHIND_ABORTED,
                "requests/s",
                True,
                goals=(Times(0.9, KSTREAM, of=_LEVELS[_COMMITTED]),),
            ),
        ),
        run=behind_aborted,
        server=Server.UNSTARTED,
        rounds=2,
        not_for={"kfake": _NO_KAFKA_LOG, "tansu": _NO_KAFKA_LOG},
    ),
]
