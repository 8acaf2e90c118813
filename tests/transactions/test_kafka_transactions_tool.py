"""`kafka-transactions`, Kafka's tool for operators: what it says of kstream, and of Kafka itself.

A transaction that hangs is one that no coordinator knows: nothing but an operator ends it. Neither server
lets a client make one, so it is written into the partition's directory while the server is down.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from compat.kafka_jars import KafkaUnavailable
from compat.kafka_server import KafkaServer
from compat.kafka_tools import run_tool
from compat.kstream_server import KstreamServer
from kstream.records.builder import build_batch
from kstream.testing.client import WireClient
from tests.log.support import append, open_log
from tests.requests import create_topic
from tests.transactions.wire_producer import WireProducer, described

pytestmark = [pytest.mark.java, pytest.mark.clients]

HANGING_ID, HANGING_EPOCH = 777, 3
HANGS_FOR_MS = 3_600_000


class Producers(NamedTuple):
    """Who did what: one with a transaction that is open, one that has committed."""

    server: KstreamServer | KafkaServer
    open: WireProducer
    done: WireProducer
    hanging_ms: int


@pytest.fixture(scope="module", params=["kstream", "kafka"])
def producers(request: pytest.FixtureRequest) -> Iterator[Producers]:
    try:
        server = KstreamServer() if request.param == "kstream" else KafkaServer(heap="512M")
    except KafkaUnavailable as reason:
        pytest.skip(str(reason))
    with server:
        with WireClient(*server.address) as client:
            create_topic(client, "t", 3)
            opened, done = WireProducer(client, "open"), WireProducer(client, "done", is_classic=True)
            assert (opened.init(), opened.produce("t", 0, b"v"), opened.produce("t", 1, b"v")) == (0, 0, 0)
            assert opened.send_offset("group", "t", 0, 1) == 0
            assert (done.init(), done.produce("t", 1, b"v"), done.end()) == (0, 0, 0)
        server.stop()
        hanging_ms = int(time.time() * 1000) - HANGS_FOR_MS
        log = open_log(server.data_dir / "t-2", now_ms=hanging_ms, was_clean=True)
        batch = build_batch(
            [(hanging_ms, None, b"v")],
            producer_id=HANGING_ID,
            producer_epoch=HANGING_EPOCH,
            base_sequence=0,
            is_transactional=True,
        )
        append(log, batch, now_ms=hanging_ms)
        log.close()
        server.start()
        with WireClient(*server.address) as client:
            for each in (opened, done):
                described(client, each.id)
            yield Producers(server, opened.over(client), done.over(client), hanging_ms)


def tool(producers: Producers, command: str, *arguments: str) -> list[dict[str, str]]:
    """One row for each line of the tool's table."""
    run = run_tool(
        "TransactionsCommand", "--bootstrap-server", producers.server.bootstrap, command, *arguments
    )
    assert run.returncode == 0, run.stdout + run.stderr
    lines = [
        [cell.strip() for cell in line.split("\t")[:-1]] for line in run.stdout.splitlines() if line.strip()
    ]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def refusal(producers: Producers, command: str, *arguments: str) -> str:
    """What the tool says when it fails."""
    run = run_tool(
        "TransactionsCommand", "--bootstrap-server", producers.server.bootstrap, command, *arguments
    )
    assert run.returncode == 1, run.stdout
    return run.stderr


def test_list(producers: Producers) -> None:
    rows = tool(producers, "list")
    found = {(row["TransactionalId"], row["ProducerId"], row["TransactionState"]) for row in rows}
    opened = ("open", str(producers.open.producer_id), "Ongoing")
    assert found == {opened, ("done", str(producers.done.producer_id), "CompleteCommit")}
    (row,) = tool(producers, "list", "--duration-filter", "0", "--transactional-id-pattern", "o.*n")
    assert (row["TransactionalId"], row["ProducerId"], row["TransactionState"]) == opened
    assert tool(producers, "list", "--transactional-id-pattern", "open.+") == []


def test_describe(producers: Producers) -> None:
    (row,) = tool(producers, "describe", "--transactional-id", "open")
    assert (row["TransactionState"], row["ProducerEpoch"]) == ("Ongoing", str(producers.open.epoch))
    assert row["TransactionTimeoutMs"] == str(producers.open.timeout_ms)
    assert int(row["TransactionDurationMs"]) > 0
    topics = {name.rpartition("-")[0] for name in row["TopicPartitions"].split(",")}
    assert topics == {"t", "__consumer_offsets"}
    (row,) = tool(producers, "describe", "--transactional-id", "done")
    assert (row["TransactionState"], row["TopicPartitions"]) == ("CompleteCommit", "")
    assert int(row["TransactionDurationMs"]) > 0, "the tool counts on from the last beginning"
    assert "the ID could not be found" in refusal(producers, "describe", "--transactional-id", "nobody")


def test_describe_producers(producers: Producers) -> None:
    rows = {row["ProducerId"]: row for row in tool(producers, *of_partition("describe-producers", 1))}
    opened, done = rows[str(producers.open.producer_id)], rows[str(producers.done.producer_id)]
    assert (opened["CurrentTransactionStartOffset"], opened["LatestCoordinatorEpoch"]) == ("0", "-1")
    assert (done["CurrentTransactionStartOffset"], done["LatestCoordinatorEpoch"]) == ("None", "0")


def of_partition(command: str, index: int) -> tuple[str, ...]:
    return command, "--topic", "t", "--partition", str(index)


def test_a_hanging_transaction_is_found_and_aborted(producers: Producers) -> None:
    (row,) = tool(producers, "find-hanging", "--topic", "t")
    assert row == {
        "Topic": "t",
        "Partition": "2",
        "ProducerId": str(HANGING_ID),
        "ProducerEpoch": str(HANGING_EPOCH),
        "CoordinatorEpoch": "-1",
        "StartOffset": "0",
        "LastTimestamp": str(producers.hanging_ms),
        "Duration(min)": row["Duration(min)"],
    }
    assert int(row["Duration(min)"]) >= 60
    assert tool(producers, "find-hanging", "--broker-id", "1") == [row]
    assert tool(producers, "find-hanging", "--broker-id", "1", "--max-transaction-timeout", "120") == []
    abort = of_partition("abort", 2)
    said = refusal(producers, *abort, "--start-offset", "5")
    assert "Could not find any open transactions starting at offset 5" in said
    assert tool(producers, *abort, "--start-offset", "0") == []
    assert tool(producers, "find-hanging", "--topic", "t") == []
    (row,) = tool(producers, *of_partition("describe-producers", 2))
    assert (row["LatestCoordinatorEpoch"], row["CurrentTransactionStartOffset"]) == ("0", "None")
    assert "Could not find any open" in refusal(producers, *abort, "--start-offset", "0")


def test_force_terminate(producers: Producers) -> None:
    """Last, for it ends what the others look at. It is an InitProducerId, so unknown ids come to be."""
    assert tool(producers, "forceTerminateTransaction", "--transactionalId", "open") == []
    (row,) = tool(producers, "describe", "--transactional-id", "open")
    assert (row["TransactionState"], row["ProducerEpoch"]) == ("Empty", str(producers.open.epoch + 2))
    assert producers.open.end() != 0, "its producer is not fenced"
    assert tool(producers, "forceTerminateTransaction", "--transactionalId", "nobody") == []
    (row,) = tool(producers, "describe", "--transactional-id", "nobody")
    assert (row["TransactionState"], row["ProducerEpoch"]) == ("Empty", "0")
