"""What producers append in transactions and readers see, while the server is killed: no promise is broken."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import inf

import pytest

from compat.kstream_server import KstreamServer
from kstream.testing.client import ConnectionClosed, WireClient
from tests.requests import create_topic
from tests.transactions.anomalies import Attempt, Element, Read, anomalies
from tests.transactions.reading import READ_COMMITTED, read_on
from tests.transactions.wire_producer import WireProducer, until

PARTITIONS = 3
PRODUCERS = 3
TRANSACTIONS_A_ROUND = 25
GONE = (ConnectionClosed, OSError)

X, Y = (0, b"x"), (1, b"y")
BOTH = [Read(0, 0, b"x"), Read(1, 0, b"y")]


@pytest.mark.parametrize(
    ("kind", "attempts", "reads", "final"),
    [
        ("lost write", [Attempt((X, Y), True)], [], BOTH[:1]),
        ("half a transaction", [Attempt((X, Y), None)], [], BOTH[:1]),
        ("aborted read", [Attempt((X,), False)], BOTH[:1], []),
        ("aborted read", [Attempt((X,), False)], [], BOTH[:1]),
        ("duplicate", [Attempt((X,), True)], [], [Read(0, 0, b"x"), Read(0, 2, b"x")]),
        ("from nowhere", [], [], BOTH[:1]),
        ("out of order", [Attempt((X, (0, b"z")), True)], [], [Read(0, 0, b"z"), Read(0, 1, b"x")]),
        ("non-monotonic", [Attempt((X, Y), True)], [BOTH[0], BOTH[0]], BOTH),
        ("unstable read", [Attempt((X, Y), True)], [Read(0, 0, b"y")], BOTH),
        (
            "passed over",
            [Attempt((X, (0, b"z")), True)],
            [Read(0, 1, b"z")],
            [Read(0, 0, b"x"), Read(0, 1, b"z")],
        ),
        ("aborted read", [Attempt((X,), False), Attempt((Y,), True, reads=(X,))], [], BOTH[1:]),
        (
            "write cycle",
            [Attempt((X, Y), True, began=0, ended=1), Attempt(((0, b"z"),), True, began=2, ended=3)],
            [],
            [Read(0, 0, b"z"), Read(0, 2, b"x"), Read(1, 0, b"y")],
        ),
        (
            "read cycle",  # each read what the other wrote
            [Attempt((X,), True, reads=(Y,)), Attempt((Y,), True, reads=(X,))],
            [],
            BOTH,
        ),
        (
            "read cycle",  # it read from one that began when it had ended
            [
                Attempt((X,), True, reads=(Y,), began=0, ended=1),
                Attempt((Y,), True, began=2, ended=3),
            ],
            [],
            BOTH,
        ),
        (
            "read cycle",  # three, of which two by time
            [
                Attempt((X,), True, reads=((2, b"z"),), began=0, ended=1),
                Attempt((Y,), True, began=2, ended=5),
                Attempt(((2, b"z"),), True, reads=(Y,), began=4, ended=6),
            ],
            [],
            [*BOTH, Read(2, 0, b"z")],
        ),
    ],
)
def test_each_anomaly_is_found(
    kind: str, attempts: list[Attempt], reads: list[Read], final: list[Read]
) -> None:
    assert any(each.startswith(kind) for each in anomalies(attempts, [reads], final))
    assert anomalies([Attempt((X, Y), True)], [BOTH], BOTH) == []


def test_transactions_that_are_open_at_once_may_interleave() -> None:
    """In either order in either partition, as in Kafka; and one may read from the other in between."""
    attempts = [
        Attempt((X, Y), True, began=0, ended=3, reads=((0, b"z"),)),
        Attempt(((0, b"z"), (1, b"z")), True, began=1, ended=2),
    ]
    final = [Read(0, 0, b"x"), Read(0, 1, b"z"), Read(1, 0, b"z"), Read(1, 1, b"y")]
    assert anomalies(attempts, [], final) == []


class History:
    """Producers and a reader on threads, through as many kills as wanted."""

    def __init__(self, server: KstreamServer, seed: int, isolation_level: int) -> None:
        self.server = server
        self.seed = seed
        self.isolation_level = isolation_level
        self.attempts: list[Attempt] = []
        self.reads: list[Read] = []
        self.stopped = threading.Event()
        self.crashed: list[BaseException] = []

    def run(self, kills: int) -> None:
        """All of it. Raises what a thread raised."""
        works: list[Callable[[], None]] = [self._read]
        works += [partial(self._produce, number) for number in range(PRODUCERS)]
        threads = [threading.Thread(target=self._guarded, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        try:
            for number in range(1, kills + 2):
                wanted = number * TRANSACTIONS_A_ROUND * PRODUCERS
                until(lambda: len(self.attempts), partial(self._is_enough, wanted))
                if number <= kills and not self.crashed:
                    self.server.kill()
                    self.server.start()
        finally:
            self.stopped.set()
            for thread in threads:
                thread.join()
        if self.crashed:
            raise self.crashed[0]

    def _is_enough(self, wanted: int, count: int) -> bool:
        return count >= wanted or bool(self.crashed)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            while not self.stopped.is_set():
                with suppress(*GONE):
                    work()
        except BaseException as error:
            self.crashed.append(error)

    def _produce(self, number: int) -> None:
        """Transactions over one connection, in one of the two protocols."""
        draw = random.Random(f"{self.seed} {number} {len(self.attempts)}")
        with WireClient(*self.server.address) as client:
            producer = WireProducer(client, f"id-{number}", is_classic=number == 0)
            assert producer.init() == 0
            offsets = dict.fromkeys(range(PARTITIONS), 0)
            while not self.stopped.is_set():
                self._transaction(producer, draw, offsets)

    def _transaction(self, producer: WireProducer, draw: random.Random, offsets: dict[int, int]) -> None:
        appends: list[Element] = []
        reads: list[Element] = []
        outcome = None
        began, ended = time.monotonic(), inf
        try:
            for _ in range(draw.randint(1, 4)):
                polled = draw.randrange(PARTITIONS)
                got, offsets[polled] = read_on(producer.client, "t", polled, offsets[polled])
                reads += [(polled, value) for _, value in got]
                element = (draw.randrange(PARTITIONS), b"%x" % draw.getrandbits(64))
                appends.append(element)
                assert producer.produce("t", *element) == 0
            commit = draw.random() < 0.7
            assert producer.end(commit=commit) == 0
            outcome, ended = commit, time.monotonic()
        finally:
            # The last append of a broken one may not be there; without an end none of it is.
            self.attempts.append(Attempt(tuple(appends), outcome, tuple(reads), began, ended))

    def _read(self) -> None:
        """From where the last connection broke."""
        offsets = dict.fromkeys(range(PARTITIONS), 0)
        for read in self.reads:
            offsets[read.partition] = read.offset + 1
        with WireClient(*self.server.address) as client:
            while not self.stopped.is_set():
                for partition, offset in offsets.items():
                    got, offsets[partition] = read_on(
                        client, "t", partition, offset, isolation_level=self.isolation_level
                    )
                    self.reads += [Read(partition, *seen) for seen in got]

    def final(self) -> list[Read]:
        """What is committed, once the open transactions are ended by a successor."""
        reads = []
        with WireClient(*self.server.address) as client:
            for number in range(PRODUCERS):
                assert WireProducer(client, f"id-{number}").init() == 0
            for partition in range(PARTITIONS):
                offset, end = 0, -1
                while offset != end:
                    end = offset
                    got, offset = read_on(client, "t", partition, end)
                    reads += [Read(partition, *seen) for seen in got]
        return reads


def history(kills: int, isolation_level: int) -> tuple[History, list[str]]:
    with KstreamServer() as server:
        with WireClient(*server.address) as client:
            create_topic(client, "t", PARTITIONS)
        run = History(server, 1, isolation_level)
        run.run(kills)
        return run, anomalies(run.attempts, [run.reads], run.final())


@pytest.mark.parametrize("kills", [2, pytest.param(40, marks=pytest.mark.slow)])
def test_no_promise_is_broken(kills: int) -> None:
    run, found = history(kills, READ_COMMITTED)
    assert found == []
    assert {attempt.outcome for attempt in run.attempts} >= {True, False}
    assert run.reads
    assert any(attempt.reads for attempt in run.attempts)


def test_a_server_that_shows_uncommitted_records_is_caught() -> None:
    """As if it took `read_committed` for `read_uncommitted`."""
    _, found = history(0, 0)
    assert any(each.startswith("aborted read") for each in found)
