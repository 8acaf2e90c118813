"""A transactional producer of few words, over the wire: both generations of the protocol, and no cleverness.

For tests that must know which request was sent, to kstream as to Apache Kafka.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from kstream.errors import ErrorCode
from kstream.records.builder import build_batch
from kstream.testing.client import WireClient
from kstream.wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest
from kstream.wire.messages.add_partitions_to_txn import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic
from kstream.wire.messages.describe_transactions import DescribeTransactionsRequest
from kstream.wire.messages.end_txn import EndTxnRequest
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.messages.init_producer_id import InitProducerIdRequest
from kstream.wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
)
from kstream.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from kstream.wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)

WAIT_TIMEOUT_S = 60.0
_NOT_YET = frozenset(
    {
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.CONCURRENT_TRANSACTIONS,
        ErrorCode.NOT_ENOUGH_REPLICAS,
        ErrorCode.UNSTABLE_OFFSET_COMMIT,
    }
)


def until(ask: Callable[[], Any], condition: Callable[[Any], bool]) -> Any:
    """Ask again and again; the first answer that satisfies the condition. Raises TimeoutError."""
    deadline_s = time.monotonic() + WAIT_TIMEOUT_S
    while True:
        answer = ask()
        if condition(answer):
            return answer
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"the last answer was {answer!r}")


def is_final(code: int) -> bool:
    """Whether a code does not mean "ask again"."""
    return code not in _NOT_YET


def find_coordinator(client: WireClient, key: str, key_type: int) -> None:
    """Wait until the server has a coordinator: of a group (0), or of a transactional id (1)."""
    request = FindCoordinatorRequest(key_type=key_type, coordinator_keys=[key])
    until(lambda: client.request(request, 6).coordinators[0].error_code, is_final)


class WireProducer:
    """One transactional id. With `is_classic` in the protocol of KIP-98, else in that of KIP-890.

    Requests that mean "ask again" are repeated; other codes are returned, and 0 is success.
    """

    def __init__(
        self, client: WireClient, transactional_id: str, *, is_classic: bool = False, timeout_ms: int = 60_000
    ) -> None:
        self.client = client
        self.id = transactional_id
        self.is_classic = is_classic
        self.timeout_ms = timeout_ms
        self.producer_id, self.epoch = -1, -1
        self.sequences: Counter[tuple[str, int]] = Counter()

    def over(self, client: WireClient) -> WireProducer:
        """The same producer, with what it knows, over another connection."""
        other = WireProducer(client, self.id, is_classic=self.is_classic, timeout_ms=self.timeout_ms)
        other.producer_id, other.epoch = self.producer_id, self.epoch
        other.sequences = self.sequences.copy()
        return other

    def init(self, *, goes_on: bool = False) -> int:
        """Take over the id; with `goes_on` as the producer that had it (KIP-360)."""
        find_coordinator(self.client, self.id, 1)
        request = InitProducerIdRequest(
            transactional_id=self.id,
            transaction_timeout_ms=self.timeout_ms,
            producer_id=self.producer_id if goes_on else -1,
            producer_epoch=self.epoch if goes_on else -1,
        )
        answer = until(lambda: self.client.request(request, 5), lambda given: is_final(given.error_code))
        if not answer.error_code:
            self._take(answer)
        return int(answer.error_code)

    def _take(self, answer: Any) -> None:
        if (self.producer_id, self.epoch) != (answer.producer_id, answer.producer_epoch):
            self.sequences.clear()
        self.producer_id, self.epoch = answer.producer_id, answer.producer_epoch

    def produce(self, topic: str, partition: int, *values: bytes, timestamp_ms: int | None = None) -> int:
        """One batch, in the transaction."""
        if self.is_classic:
            code = self._add(topic, partition)
            if code:
                return code
        at_ms = int(time.time() * 1000) if timestamp_ms is None else timestamp_ms
        batch = build_batch(
            [(at_ms, None, value) for value in values],
            producer_id=self.producer_id,
            producer_epoch=self.epoch,
            base_sequence=self.sequences[(topic, partition)],
            is_transactional=True,
        )
        data = TopicProduceData(
            name=topic, partition_data=[PartitionProduceData(index=partition, records=batch)]
        )
        request = ProduceRequest(transactional_id=self.id, acks=-1, timeout_ms=10_000, topic_data=[data])
        code = until(
            lambda: (
                self.client.request(request, 11 if self.is_classic else 12)
                .responses[0]
                .partition_responses[0]
                .error_code
            ),
            is_final,
        )
        if not code:
            self.sequences[(topic, partition)] += len(values)
        return int(code)

    def _add(self, topic: str, partition: int) -> int:
        request = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=self.id,
            v3_and_below_producer_id=self.producer_id,
            v3_and_below_producer_epoch=self.epoch,
            v3_and_below_topics=[AddPartitionsToTxnTopic(name=topic, partitions=[partition])],
        )
        return int(
            until(
                lambda: (
                    self.client.request(request, 3)
                    .results_by_topic_v3_and_below[0]
                    .results_by_partition[0]
                    .partition_error_code
                ),
                is_final,
            )
        )

    def send_offset(self, group: str, topic: str, partition: int, offset: int) -> int:
        """Commit a position of a group as part of the transaction."""
        find_coordinator(self.client, group, 0)
        if self.is_classic:
            added = AddOffsetsToTxnRequest(
                transactional_id=self.id,
                producer_id=self.producer_id,
                producer_epoch=self.epoch,
                group_id=group,
            )
            code = until(lambda: self.client.request(added, 3).error_code, is_final)
            if code:
                return int(code)
        committed = TxnOffsetCommitRequestPartition(partition_index=partition, committed_offset=offset)
        request = TxnOffsetCommitRequest(
            transactional_id=self.id,
            group_id=group,
            producer_id=self.producer_id,
            producer_epoch=self.epoch,
            topics=[TxnOffsetCommitRequestTopic(name=topic, partitions=[committed])],
        )
        version = 4 if self.is_classic else 5
        return int(
            until(lambda: self.client.request(request, version).topics[0].partitions[0].error_code, is_final)
        )

    def end_request(self, *, commit: bool = True) -> tuple[EndTxnRequest, int]:
        """EndTxn and its version."""
        request = EndTxnRequest(
            transactional_id=self.id,
            producer_id=self.producer_id,
            producer_epoch=self.epoch,
            committed=commit,
        )
        return request, 4 if self.is_classic else 5

    def end(self, *, commit: bool = True) -> int:
        """Commit or abort, and wait until all partitions know."""
        answer = until(
            lambda: self.client.request(*self.end_request(commit=commit)),
            lambda given: is_final(given.error_code),
        )
        if not answer.error_code:
            if not self.is_classic:
                self._take(answer)
            until(self.state, lambda state: not state.startswith("Prepare"))
        return int(answer.error_code)

    def state(self) -> str:
        """What DescribeTransactions says."""
        return str(described(self.client, self.id).transaction_state)


def described(client: WireClient, transactional_id: str) -> Any:
    """DescribeTransactions' answer for one id, once its coordinator is loaded."""
    request = DescribeTransactionsRequest(transactional_ids=[transactional_id])
    return until(
        lambda: client.request(request, 0).transaction_states[0], lambda given: is_final(given.error_code)
    )


def committed_offset(
    client: WireClient, group: str, topic: str, partition: int, *, is_stable: bool = True
) -> tuple[int, int]:
    """Error code and offset of a group in a partition. Without `is_stable` what a transaction may change."""
    find_coordinator(client, group, 0)
    wanted = OffsetFetchRequestGroup(
        group_id=group, topics=[OffsetFetchRequestTopics(name=topic, partition_indexes=[partition])]
    )
    request = OffsetFetchRequest(groups=[wanted], require_stable=is_stable)
    found = until(
        lambda: client.request(request, 8).groups[0],
        lambda given: given.error_code not in (14, 15, 16),
    )
    if found.error_code:
        return int(found.error_code), -1
    only = found.topics[0].partitions[0]
    return int(only.error_code), int(only.committed_offset)
