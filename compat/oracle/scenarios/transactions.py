"""Transactions: both generations of the protocol, zombies, timeouts, positions in transactions, markers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compat.oracle.batches import batch
from compat.oracle.requests import produce
from compat.oracle.run import Run, Topic, scenario
from kstream.wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest
from kstream.wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTransaction,
)
from kstream.wire.messages.describe_producers import DescribeProducersRequest, TopicRequest
from kstream.wire.messages.describe_transactions import DescribeTransactionsRequest
from kstream.wire.messages.end_txn import EndTxnRequest
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.messages.init_producer_id import InitProducerIdRequest
from kstream.wire.messages.list_transactions import ListTransactionsRequest
from kstream.wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
)
from kstream.wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from kstream.wire.messages.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
)

_NOT_YET = (14, 15, 16)
_CLASSIC, _NEWER = 4, 5
_TIMEOUT_MS = 60_000


class Transactor:
    """One transactional id. Its requests are recorded, what only waits is not."""

    def __init__(self, run: Run, suffix: str) -> None:
        self.run = run
        self.id = run.name(suffix)
        self.label = suffix
        find = FindCoordinatorRequest(key_type=1, coordinator_keys=[self.id])
        run.until(find, 6, lambda answer: answer.coordinators[0].error_code == 0)
        describe = DescribeTransactionsRequest(transactional_ids=[self.id])
        run.until(describe, 0, lambda answer: answer.transaction_states[0].error_code not in _NOT_YET)
        # Right after its start Kafka has no block of producer ids yet.
        ask_for_id = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=_TIMEOUT_MS)
        run.until(ask_for_id, 4, lambda answer: answer.error_code == 0)
        self.producer_id, self.epoch = -1, -1

    def init(
        self,
        note: str,
        producer_id: int = -1,
        epoch: int = -1,
        *,
        timeout_ms: int = _TIMEOUT_MS,
        version: int = 5,
    ) -> None:
        self.settle()
        request = InitProducerIdRequest(
            transactional_id=self.id,
            transaction_timeout_ms=timeout_ms,
            producer_id=producer_id,
            producer_epoch=epoch,
        )
        answer = self.run.call(f"{self.label}: init {note}", request, version)
        if not answer.error_code:
            self.producer_id, self.epoch = answer.producer_id, answer.producer_epoch

    def settle(self) -> Any:
        """Wait until the last transaction is complete."""
        return self.until(lambda state: not state.startswith("Prepare"))

    def until(self, condition: Any) -> Any:
        request = DescribeTransactionsRequest(transactional_ids=[self.id])
        return self.run.until(
            request, 0, lambda answer: condition(answer.transaction_states[0].transaction_state)
        )

    def describe(self, note: str) -> None:
        self.settle()
        request = DescribeTransactionsRequest(transactional_ids=[self.id])
        self.run.call(f"{self.label}: describe {note}", request, 0, trim=_without_group_partitions)

    def add(
        self,
        note: str,
        topic: Topic,
        indexes: Sequence[int] = (0,),
        *,
        version: int = 3,
        producer_id: int | None = None,
        epoch: int | None = None,
        verify_only: bool = False,
    ) -> None:
        topics = [AddPartitionsToTxnTopic(name=topic.name, partitions=list(indexes))]
        producer_id = self.producer_id if producer_id is None else producer_id
        epoch = self.epoch if epoch is None else epoch
        if version < _CLASSIC:
            request = AddPartitionsToTxnRequest(
                v3_and_below_transactional_id=self.id,
                v3_and_below_producer_id=producer_id,
                v3_and_below_producer_epoch=epoch,
                v3_and_below_topics=topics,
            )
        else:
            transaction = AddPartitionsToTxnTransaction(
                transactional_id=self.id,
                producer_id=producer_id,
                producer_epoch=epoch,
                verify_only=verify_only,
                topics=topics,
            )
            request = AddPartitionsToTxnRequest(transactions=[transaction])
        self.run.call(f"{self.label}: add {note}", request, version, trim=partitions_in_order)

    def produce(
        self,
        note: str,
        topic: Topic,
        sequence: int = 0,
        *,
        index: int = 0,
        version: int,
        producer_id: int | None = None,
        epoch: int | None = None,
    ) -> None:
        records = batch(
            b"v",
            producer_id=self.producer_id if producer_id is None else producer_id,
            producer_epoch=self.epoch if epoch is None else epoch,
            base_sequence=sequence,
            is_transactional=True,
        )
        request = produce((topic, index, records), transactional_id=self.id)
        self.run.call(f"{self.label}: produce {note}", request, version)

    def end(
        self,
        note: str,
        *,
        commit: bool = True,
        version: int,
        producer_id: int | None = None,
        epoch: int | None = None,
    ) -> None:
        request = EndTxnRequest(
            transactional_id=self.id,
            producer_id=self.producer_id if producer_id is None else producer_id,
            producer_epoch=self.epoch if epoch is None else epoch,
            committed=commit,
        )
        answer = self.run.call(f"{self.label}: end {note}", request, version)
        self.settle()
        if not answer.error_code and version >= _NEWER:
            self.producer_id, self.epoch = answer.producer_id, answer.producer_epoch


def partitions_in_order(answer: Any) -> None:
    """What an answer says of AddPartitionsToTxn, whose partitions Kafka gives in the order of a hash map."""
    topics = list(answer.results_by_topic_v3_and_below)
    for result in answer.results_by_transaction:
        topics += result.topic_results
    for topic in topics:
        topic.results_by_partition.sort(key=lambda partition: partition.partition_index)


def _without_group_partitions(answer: Any) -> None:
    """Which partition of `__consumer_offsets` it is depends on the group's name, and that on the run."""
    for state in answer.transaction_states:
        state.topics.sort(key=lambda topic: topic.topic)
        for topic in state.topics:
            topic.partitions = [] if topic.topic == "__consumer_offsets" else sorted(topic.partitions)


def _producers(run: Run, note: str, topic: Topic) -> None:
    def in_order(answer: Any) -> None:
        for each in answer.topics:
            for partition in each.partitions:
                partition.active_producers.sort(key=lambda producer: producer.producer_id)

    request = DescribeProducersRequest(topics=[TopicRequest(name=topic.name, partition_indexes=[0])])
    run.call(f"producers {note}", request, 0, trim=in_order)


@scenario
def transactions_classic(run: Run) -> None:
    """KIP-98: partitions are added before they are written to, and the epoch stays."""
    topic = run.topic("t", partitions=2)
    one = Transactor(run, "one")
    for timeout_ms in (0, -1, 900_001):
        one.init(f"timeout {timeout_ms}", timeout_ms=timeout_ms)
    one.init("id without epoch", 987_654)
    one.init("epoch without id", epoch=5)
    one.describe("nobody")
    one.init("first")
    one.describe("new")
    for version in (1, _CLASSIC):
        one.end(f"nothing, v{version}", version=version)
        one.end(f"nothing, abort, v{version}", commit=False, version=version)
    one.add("wrong id", topic, producer_id=one.producer_id + 10_000)
    for version in (0, 1, 2, 3):
        one.add(f"wrong epoch v{version}", topic, epoch=1, version=version)
    one.add("unknown partition", topic, (0, 9))
    for version in (9, 10, 11):
        one.produce(f"not added v{version}", topic, version=version)
    one.add("partition", topic)
    one.add("again", topic)
    one.add("again v0", topic, version=0)
    one.produce("other partition v10", topic, index=1, version=10)
    one.produce("other partition v11", topic, index=1, version=11)
    one.produce("first", topic, version=11)
    one.produce("gap", topic, 5, version=11)
    one.produce("wrong epoch", topic, 1, epoch=1, version=11)
    one.produce("wrong id", topic, producer_id=one.producer_id + 10_000, version=11)
    for version in (4, 5):
        one.add(f"verify v{version}", topic, (0, 1), version=version, verify_only=True)
    one.add("verify wrong epoch", topic, epoch=1, version=4, verify_only=True)
    one.add("verify wrong id", topic, producer_id=one.producer_id + 10_000, version=4, verify_only=True)
    one.describe("open")
    for version in (1, _CLASSIC):
        one.end(f"wrong epoch v{version}", epoch=1, version=version)
    one.end("wrong id", producer_id=one.producer_id + 10_000, version=_CLASSIC)
    _producers(run, "open", topic)
    one.end("commit", version=_CLASSIC)
    one.describe("committed")
    one.end("commit again", version=_CLASSIC)
    one.end("abort after commit", commit=False, version=_CLASSIC)
    _producers(run, "ended", topic)
    one.produce("outside", topic, 1, version=11)
    one.add("for an abort", topic)
    one.produce("for an abort", topic, 1, version=11)
    one.end("abort", commit=False, version=_CLASSIC)
    one.end("abort again", commit=False, version=_CLASSIC)
    one.end("commit after abort", version=_CLASSIC)
    one.describe("aborted")


@scenario
def transactions_zombies(run: Run) -> None:
    """Producers that come back, and others that took their transactional id (KIP-360)."""
    topic = run.topic("t")
    one = Transactor(run, "one")
    one.init("first")
    producer_id = one.producer_id
    one.init("goes on", producer_id, 0)
    one.init("retry", producer_id, 0)
    one.init("old epoch v3", producer_id, 7, version=3)
    one.init("old epoch", producer_id, 7)
    one.init("wrong id", producer_id + 10_000, 1)
    one.add("old epoch", topic, epoch=0)
    one.add("partition", topic)
    one.produce("first", topic, version=11)
    one.init("while it is open")
    one.describe("fenced")
    one.init("after the abort")
    one.end("old epoch", epoch=1, version=_CLASSIC)
    for version in (11, 12):
        one.produce(f"old epoch v{version}", topic, 1, epoch=1, version=version)
    _producers(run, "fenced", topic)
    for label, version in (("classic", 11), ("newer", 12)):
        slow = Transactor(run, label)
        slow.init("with a short timeout", timeout_ms=100)
        if version < 12:
            slow.add("partition", topic)
        slow.produce("first", topic, version=version)
        slow.until(lambda state: state == "CompleteAbort")
        slow.describe("timed out")
        end_version = _CLASSIC if version < 12 else _NEWER
        slow.end("commit too late", version=end_version, epoch=0)
        slow.produce("too late", topic, 1, epoch=0, version=version)
        slow.add("too late", topic, epoch=0)
        slow.init("goes on", slow.producer_id, 0)
        slow.init("goes on again", slow.producer_id, slow.epoch)
        slow.init("anew")


@scenario
def transactions_epochs(run: Run) -> None:
    """KIP-890: Produce adds the partition, and every end raises the epoch."""
    topic = run.topic("t", partitions=2)
    one = Transactor(run, "one")
    one.init("first")
    one.end("commit nothing", version=_NEWER)
    one.end("abort nothing", commit=False, version=_NEWER)
    one.end("abort again", commit=False, epoch=0, version=_NEWER)
    one.end("commit after abort", epoch=0, version=_NEWER)
    one.end("commit nothing in the next", version=_NEWER)
    one.produce("first", topic, version=12)
    one.describe("open")
    one.produce("second", topic, 1, version=13)
    epoch = one.epoch
    for note, wrong in (("old", epoch - 1), ("future", epoch + 1)):
        one.produce(f"{note} epoch", topic, 2, epoch=wrong, version=12)
        one.produce(f"{note} epoch elsewhere", topic, index=1, epoch=wrong, version=12)
        one.end(f"{note} epoch", epoch=wrong, version=_NEWER)
    one.end("commit", version=_NEWER)
    one.end("commit again", epoch=epoch, version=_NEWER)
    one.end("abort after commit", commit=False, epoch=epoch, version=_NEWER)
    one.describe("committed")
    _producers(run, "committed", topic)
    one.produce("of the last transaction", topic, 2, epoch=epoch, version=12)
    one.produce("sequence that is not 0", topic, 4, version=12)
    one.produce("next", topic, version=12)
    one.init("while it is open")
    one.describe("fenced")
    one.init("after the abort")
    one.add("two, v5", topic, (0, 1), version=5)
    one.describe("two")
    one.end("as a classic client", version=_CLASSIC)
    one.produce("after a classic end", topic, index=1, version=12)
    one.end("abort", commit=False, version=_NEWER)
    one.describe("last")
    _producers(run, "last", topic)


def coordinated_group(run: Run) -> str:
    """The name of a group, once its positions can be asked for."""
    group = run.name("group")
    find = FindCoordinatorRequest(key_type=0, coordinator_keys=[group])
    run.until(find, 6, lambda answer: answer.coordinators[0].error_code == 0)
    positions = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group, topics=None)])
    run.until(positions, 9, lambda answer: answer.groups[0].error_code == 0)
    return group


@scenario
def transactions_offsets(run: Run) -> None:
    """Positions of a group in transactions (KIP-447)."""
    topic = run.topic("t", partitions=2)
    group = coordinated_group(run)
    one = Transactor(run, "one")
    one.init("first")

    def fetch(stable: bool) -> OffsetFetchRequest:
        wanted = OffsetFetchRequestTopics(name=topic.name, partition_indexes=[0, 1])
        return OffsetFetchRequest(
            require_stable=stable, groups=[OffsetFetchRequestGroup(group_id=group, topics=[wanted])]
        )

    def commit(note: str, offset: int, *, version: int, index: int = 0, **fields: Any) -> None:
        values: dict[str, Any] = {
            "transactional_id": one.id,
            "group_id": group,
            "producer_id": one.producer_id,
            "producer_epoch": one.epoch,
        } | fields
        position = TxnOffsetCommitRequestPartition(partition_index=index, committed_offset=offset)
        wanted = TxnOffsetCommitRequestTopic(name=topic.name, topic_id=topic.id, partitions=[position])
        run.call(f"commit {note}", TxnOffsetCommitRequest(topics=[wanted], **values), version)

    def positions(note: str) -> None:
        for stable in (True, False):
            run.call(f"positions {note}, {'stable' if stable else 'any'}", fetch(stable), 9)

    def add(note: str, *, version: int, **fields: Any) -> None:
        values: dict[str, Any] = {
            "transactional_id": one.id,
            "producer_id": one.producer_id,
            "producer_epoch": one.epoch,
            "group_id": group,
        } | fields
        run.call(f"add group {note}", AddOffsetsToTxnRequest(**values), version)

    commit("not added v3", 5, version=3)
    commit("not added v4", 5, version=4)
    commit("unknown partition", 5, index=7, version=4)
    commit("no group", 5, version=4, group_id="")
    for version in (1, 4):
        add(f"wrong epoch v{version}", version=version, producer_epoch=3)
    add("wrong id", version=4, producer_id=one.producer_id + 10_000)
    add("group", version=4)
    one.describe("with a group")
    commit("generation of no group", 5, version=3, generation_id_or_member_epoch=3, member_id="m")
    for version in (0, 1, 2):
        commit(f"wrong id v{version}", 4, version=version, producer_id=one.producer_id + 10_000)
        commit(f"v{version}", 4, version=version)
    commit("v3", 5, version=3)
    positions("open")
    one.end("commit", version=_CLASSIC)
    positions("committed")
    commit("v5", 9, version=5)
    commit("v6", 7, index=1, version=6)
    positions("open again")
    one.end("abort", commit=False, version=_NEWER)
    positions("aborted")
    commit("old epoch", 9, version=5, producer_epoch=0)
    commit("unknown id", 9, version=5, transactional_id=run.name("nobody"))
    commit("last", 11, version=5)
    one.end("commit last", version=_NEWER)
    positions("last")


@scenario
def transactions_markers(run: Run) -> None:
    """Markers that an operator writes (KIP-664), and the lists that lead to them."""
    topic = run.topic("t")
    one = Transactor(run, "one")
    other = Transactor(run, "other")
    one.init("first")
    other.init("first")
    one.produce("first", topic, version=12)

    def write(note: str, *, version: int, indexes: Sequence[int] = (0,), **fields: Any) -> None:
        wanted = WritableTxnMarkerTopic(name=topic.name, partition_indexes=list(indexes))
        values: dict[str, Any] = {"producer_id": one.producer_id, "producer_epoch": 0} | fields
        marker = WritableTxnMarker(topics=[wanted], **values)
        run.call(f"markers {note}", WriteTxnMarkersRequest(markers=[marker]), version, trim=in_order)

    def in_order(answer: Any) -> None:
        for marker in answer.markers:
            for each in marker.topics:
                each.partitions.sort(key=lambda partition: partition.partition_index)

    def only_ours(answer: Any) -> None:
        answer.transaction_states = sorted(
            (state for state in answer.transaction_states if state.transactional_id in (one.id, other.id)),
            key=lambda state: state.transactional_id,
        )

    def ask(note: str, *, version: int = 2, **fields: Any) -> None:
        run.call(f"list {note}", ListTransactionsRequest(**fields), version, trim=only_ours)

    ask("all")
    ask("open and unknown", state_filters=["Ongoing", "Foo"])
    ask("unknown", state_filters=["Foo"], version=0)
    ask("never seen", state_filters=["Dead", "PrepareEpochFence"])
    ask("of a producer", producer_id_filters=[one.producer_id], version=0)
    ask("long", duration_filter=100_000_000, version=1)
    ask("pattern", transactional_id_pattern=".*-one")
    ask("no pattern", transactional_id_pattern="[av")
    ask("empty pattern", transactional_id_pattern="")
    write("same epoch, version 2", version=2, transaction_version=2)
    write("higher epoch, unknown partition", version=1, indexes=(0, 8), producer_epoch=1)
    _producers(run, "ended", topic)
    write("old epoch", version=1)
    write("old coordinator", version=1, producer_epoch=5, coordinator_epoch=-1)
    write("commit of nothing", version=2, transaction_result=True, producer_epoch=6)
    unknown = DescribeTransactionsRequest(transactional_ids=["", one.id])
    run.call("describe none and one", unknown, 0, trim=_without_group_partitions)
