"""Partitions of the simulated world: a client's topic, and `__consumer_offsets` with its group shard."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple, cast

from kstream.broker.enlistments import Enlistments, Guard
from kstream.coordinator.codec import RecordDecoder, encode_record
from kstream.errors import ErrorCode
from kstream.groups.commit import WantedTopic, fetch_offsets
from kstream.groups.settings import Caller, GroupSettings
from kstream.groups.shard import GroupShard
from kstream.groups.txn_commit import commit_offsets_in_transaction
from kstream.log.partition import PartitionLog
from kstream.log.producers import CompletedTransaction, ProducerEntry, ProducerState
from kstream.records.batch import BatchHeader, read_header
from kstream.records.builder import build_batch
from kstream.records.schemas.group import KEYS, VALUES
from kstream.wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from kstream.wire.uuids import ZERO_UUID
from tests.transactions.driver import Producer

COORDINATOR_EPOCH = 0
_GROUP, _SOURCE = "g", "source"
_DECODER = RecordDecoder(KEYS, VALUES)


class Data(NamedTuple):
    producer: Producer
    sequence: int
    value: str


class End(NamedTuple):
    producer: Producer
    is_commit: bool


class Log:
    """One partition: what is written, and the producer state, which is rebuilt from it."""

    def __init__(self) -> None:
        self.batches: list[Data | End] = []
        self.last_stable_offset = 0
        self.restart()

    def restart(self) -> None:
        self.producers = ProducerState()
        self.enlistments = Enlistments(cast(PartitionLog, self))
        for offset, batch in enumerate(self.batches):
            self._apply(offset, batch)

    def append_data(self, data: Data, guard: Guard | None) -> None:
        """Raises ApiError as the log does, and for a batch that is of no open transaction."""
        producer_id, epoch = data.producer
        self.enlistments.check(producer_id, epoch, guard)
        entry = self.producers.entries.get(producer_id)
        if entry is not None and entry.check(_header(data)) is not None:
            return
        self._append(data)

    def append_end(self, end: End) -> None:
        producer_id, epoch = end.producer
        self.enlistments.check_marker(producer_id, epoch, COORDINATOR_EPOCH)
        self.enlistments.end(producer_id)
        self._append(end)

    def _append(self, batch: Data | End) -> None:
        self.batches.append(batch)
        self._apply(len(self.batches) - 1, batch)
        first_unstable = self.producers.first_unstable_offset
        stable = len(self.batches) if first_unstable is None else first_unstable
        assert stable >= self.last_stable_offset, "the last stable offset moved back"
        self.last_stable_offset = stable

    def _apply(self, offset: int, batch: Data | End) -> None:
        if isinstance(batch, Data):
            self.producers.apply(_header(batch), offset)
            return
        producer_id, epoch = batch.producer
        entry = self.producers.entries.setdefault(producer_id, ProducerEntry(producer_id, epoch))
        began = entry.apply_marker(epoch, COORDINATOR_EPOCH, 0)
        if began is not None:
            self.producers.complete(CompletedTransaction(producer_id, began, offset, not batch.is_commit))
            self.producers.on_high_watermark(offset + 1)

    def visible(self) -> Counter[str]:
        """What a read_committed reader gets."""
        open_values: dict[int, list[str]] = {}
        seen: Counter[str] = Counter()
        for batch in self.batches[: self.last_stable_offset]:
            producer_id = batch.producer[0]
            if isinstance(batch, Data):
                open_values.setdefault(producer_id, []).append(batch.value)
            elif batch.is_commit:
                seen.update(open_values.pop(producer_id, []))
            else:
                open_values.pop(producer_id, None)
        return seen


def _header(data: Data) -> BatchHeader:
    producer_id, epoch = data.producer
    return read_header(
        build_batch(
            [(0, None, b"v")],
            producer_id=producer_id,
            producer_epoch=epoch,
            base_sequence=data.sequence,
            is_transactional=True,
        )
    )


class OffsetsLog(Log):
    """One partition of `__consumer_offsets`: each value is the position of one group in one partition.

    After every write the group's position is what the last commit marker made it, and asking for a stable
    one is refused exactly while a transaction that is open here would change it.
    """

    def restart(self) -> None:
        self.shard = GroupShard(GroupSettings())
        self.records: list[list[tuple[bytes, bytes | None]]] = getattr(self, "records", [])
        """What stands in each batch, nothing in markers."""
        super().restart()
        for batch, records in zip(self.batches, self.records, strict=True):
            _replay(self.shard, batch, records)
        self._check()

    def append_data(self, data: Data, guard: Guard | None) -> None:
        """Raises ApiError as the broker does; a retry is written again, as it has no sequence."""
        producer_id, epoch = data.producer
        self.enlistments.check_epoch(producer_id, epoch)
        self.enlistments.check(producer_id, epoch, guard)
        position = TxnOffsetCommitRequestPartition(committed_offset=1, committed_metadata=data.value)
        request = TxnOffsetCommitRequest(
            group_id=_GROUP,
            producer_id=producer_id,
            producer_epoch=epoch,
            topics=[TxnOffsetCommitRequestTopic(name=_SOURCE, partitions=[position])],
        )
        outcome = commit_offsets_in_transaction(self.shard.state, request, Caller("c", "/h", 5), "token", 0)
        self.records.append([encode_record(record) for record in outcome.records])
        _replay(self.shard, data, self.records[-1])
        self._append(data._replace(sequence=-1))
        self._check()

    def append_end(self, end: End) -> None:
        super().append_end(end)
        self.records.append([])
        _replay(self.shard, end, [])
        self._check()

    def _check(self) -> None:
        pending: dict[int, str] = {}
        committed = ""
        for batch in self.batches:
            if isinstance(batch, Data):
                pending[batch.producer[0]] = batch.value
            elif batch.is_commit:
                committed = pending.pop(batch.producer[0], committed)
            else:
                pending.pop(batch.producer[0], None)
        assert _position(self.shard) == (ErrorCode.NONE, committed)
        if pending:
            assert _position(self.shard, is_stable=True) == (ErrorCode.UNSTABLE_OFFSET_COMMIT, "")
        else:
            assert _position(self.shard, is_stable=True) == (ErrorCode.NONE, committed)

    def visible(self) -> Counter[str]:
        """Every position that the group ever had, by a coordinator that has only the log."""
        shard = GroupShard(GroupSettings())
        seen: Counter[str] = Counter()
        last = ""
        for batch, records in zip(self.batches, self.records, strict=True):
            _replay(shard, batch, records)
            _, position = _position(shard)
            if position != last:
                assert isinstance(batch, End)
                assert batch.is_commit, "a position changed without a commit"
                seen[position] += 1
                last = position
        return seen


def _replay(shard: GroupShard, batch: Data | End, records: list[tuple[bytes, bytes | None]]) -> None:
    if isinstance(batch, End):
        shard.replay_end_transaction(batch.producer[0], is_commit=batch.is_commit)
    for key, value in records:
        record = _DECODER.decode(key, value)
        assert record is not None
        shard.replay(record, producer_id=batch.producer[0])


def _position(shard: GroupShard, *, is_stable: bool = False) -> tuple[int, str]:
    """Error code and value of the group's position."""
    wanted = WantedTopic(_SOURCE, ZERO_UUID, [0])
    found = fetch_offsets(shard.state, _GROUP, [wanted], require_stable=is_stable).topics[0].partitions[0]
    return found.error_code, found.metadata or ""
