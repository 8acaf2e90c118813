"""Transactions of one producer, each committed before the next begins."""

from __future__ import annotations

import time
import uuid

from confluent_kafka import Producer

from benchmarks.goals import Times
from benchmarks.members import until
from benchmarks.part import Measure, Part, Turn, Values
from kstream.errors import ErrorCode
from kstream.records.batch import NO_PRODUCER_EPOCH, NO_PRODUCER_ID
from kstream.records.builder import build_batch
from kstream.testing.client import WireClient
from kstream.wire.messages.end_txn import EndTxnRequest, EndTxnResponse
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from kstream.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData

_SIZE = 1024
_SMALL = 1_000
_LARGE = 300
_PARTITIONS = 5
_TIMEOUT_S = 60.0
_TRANSACTION = 1
"""What a coordinator is asked for."""
_NOT_YET = (
    ErrorCode.CONCURRENT_TRANSACTIONS,
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
)


def transactions(turn: Turn) -> Values:
    """One record each, then a hundred records over five partitions each."""
    with turn.topic(partitions=_PARTITIONS) as topic:
        producer = Producer(
            {"bootstrap.servers": turn.bootstrap, "transactional.id": f"bench-{uuid.uuid4()}", "linger.ms": 0}
        )
        producer.init_transactions(_TIMEOUT_S)
        one, many = turn.scale.at_most(_SMALL), turn.scale.at_most(_LARGE)
        small = turn.on_server("transactions-1", lambda: _rate(producer, topic, one, 1))
        large = turn.on_server("transactions-100", lambda: _rate(producer, topic, many, 100))
    return {"transactions-1": small, "transactions-100": large}


def transactions_bare(turn: Turn) -> Values:
    """One record each, by a client that waits for nothing but answers."""
    count = turn.scale.at_most(_SMALL)
    with turn.topic() as topic, WireClient(*turn.server.address, timeout_s=_TIMEOUT_S) as client:
        producer = BareProducer(client, topic)
        producer.rate(1)
        return {"transactions-bare": turn.on_server("transactions-bare", lambda: producer.rate(count))}


def _rate(producer: Producer, topic: str, count: int, records: int) -> float:
    """Transactions a second."""
    value = bytes(_SIZE)
    began_s = time.perf_counter()
    for _ in range(count):
        producer.begin_transaction()
        for number in range(records):
            producer.produce(topic, value, partition=number % _PARTITIONS)
        producer.commit_transaction(_TIMEOUT_S)
    return count / (time.perf_counter() - began_s)


class BareProducer:
    """What a producer sends of version 2 of transactions, Produce 12 and EndTxn 5, by a client without timers
    and threads of its own: each request leaves when the answer before it is here.
    """

    def __init__(self, client: WireClient, topic: str) -> None:
        self._client = client
        self._topic = topic
        self._id = f"bench-{uuid.uuid4()}"
        find = FindCoordinatorRequest(key_type=_TRANSACTION, coordinator_keys=[self._id])
        until(lambda: client.request(find, 4).coordinators[0].error_code == 0)
        init = InitProducerIdRequest(transactional_id=self._id, transaction_timeout_ms=60_000)
        self._producer = (NO_PRODUCER_ID, NO_PRODUCER_EPOCH)
        until(lambda: self._keep(client.request(init, 4)))

    def _keep(self, answer: InitProducerIdResponse | EndTxnResponse) -> bool:
        """Whether it says what the producer is from now on."""
        if answer.error_code:
            return False
        self._producer = (answer.producer_id, answer.producer_epoch)
        return True

    def rate(self, count: int) -> float:
        """Transactions a second, of one record of 1 KB each."""
        began_s = time.perf_counter()
        for _ in range(count):
            self._commit_one()
        return count / (time.perf_counter() - began_s)

    def _commit_one(self) -> None:
        producer_id, epoch = self._producer
        records = build_batch(
            [(time.time_ns() // 1_000_000, None, bytes(_SIZE))],
            producer_id=producer_id,
            producer_epoch=epoch,
            base_sequence=0,
            is_transactional=True,
        )
        data = TopicProduceData(
            name=self._topic, partition_data=[PartitionProduceData(index=0, records=records)]
        )
        produce = ProduceRequest(transactional_id=self._id, acks=-1, timeout_ms=30_000, topic_data=[data])
        # Refused while the topic is new, or, by Kafka, the transaction before is being completed: asked again
        # at once.
        while error := self._client.request(produce, 12).responses[0].partition_responses[0].error_code:
            if error not in _NOT_YET:
                raise RuntimeError(f"Produce was answered with {ErrorCode(error).name}")
        end = EndTxnRequest(
            transactional_id=self._id, producer_id=producer_id, producer_epoch=epoch, committed=True
        )
        answer = self._client.request(end, 5)
        if not self._keep(answer):
            raise RuntimeError(f"EndTxn was answered with {ErrorCode(answer.error_code).name}")


PARTS = [
    Part(
        name="transactions",
        doc="Transactions of one librdkafka producer, one record each, and 100 over 5 partitions each",
        measures=(
            Measure("transactions-1", "transactions/s", True, goals=(Times(2.0, "kafka"),)),
            Measure("transactions-100", "transactions/s", True, goals=(Times(2.0, "kafka"),)),
        ),
        run=transactions,
        rounds=3,
        not_for={"tansu": "was not compared"},
    ),
    Part(
        name="transactions-bare",
        doc="Transactions of one record each (Produce 12, EndTxn 5) by a client that waits for answers alone",
        measures=(Measure("transactions-bare", "transactions/s", True, goals=(Times(2.0, "kafka"),)),),
        run=transactions_bare,
        rounds=3,
        not_for=dict.fromkeys(("kfake", "tansu"), "was not compared"),
    ),
]
