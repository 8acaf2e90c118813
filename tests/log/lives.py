"""Servers on a simulated disk: what they do with a partition, and what a model knows that they must find
again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st

from kstream.log.checkpoints import CorruptCheckpoint
from kstream.log.config import LogConfig
from kstream.log.directory import LogDirectory
from kstream.log.partition import PartitionLog
from kstream.log.partition_metadata import read_topic_id
from kstream.log.platform import Platform
from kstream.records.batch import iter_headers
from kstream.records.record import Record, iter_records
from tests.log.support import (
    NOW_MS,
    append,
    batch_of,
    compact,
    end_transaction,
    keyed_batch,
)
from tests.log.test_model import read_committed

CONFIGS = {
    policy: LogConfig(
        segment_bytes=2500,
        index_interval_bytes=300,
        cleanup_policy=(policy,),
        delete_retention_ms=0,
        retention_ms=-1,
    )
    for policy in ("compact", "delete")
}
IDEMPOTENT, TRANSACTIONAL = 5, 7

STEP = st.sampled_from(
    (
        *("append", "append", "large", "repeat", "transact", "transact", "commit", "abort"),
        *("flush", "flush", "roll", "compact", "checkpoint", "delete", "begin_epoch", "recreate"),
    )
)


class Stored(NamedTuple):
    """A record that was appended."""

    key: bytes | None
    value: bytes | None
    producer_id: int = -1
    sequence: int = -1


@dataclass
class Model:
    """What was written, and what of it is acknowledged as durable."""

    records: dict[int, Stored] = field(default_factory=dict)
    markers: dict[int, bool] = field(default_factory=dict)
    """Whether it is a commit, by offset."""
    acknowledged: int = 0
    """Offsets below are on the disk."""
    start: int = 0
    """Where the log begins, as was acknowledged."""
    highest_start: int = 0
    """Where it may begin."""
    topic_id: bytes = bytes(16)
    leader_epochs: dict[int, int] = field(default_factory=dict)
    """Leader epochs by the offset of each record and marker."""

    def aborted(self) -> set[int]:
        """Offsets of records in aborted transactions."""
        found: set[int] = set()
        unfinished: set[int] = set()
        for offset in sorted(self.records | self.markers):
            if offset in self.markers:
                found |= set() if self.markers[offset] else unfinished
                unfinished = set()
            elif self.records[offset].producer_id == TRANSACTIONAL:
                unfinished.add(offset)
        return found

    def begin_anew(self) -> None:
        """Another topic of the same name."""
        next_id = int.from_bytes(self.topic_id, "big") + 1
        for known in (self.records, self.markers, self.leader_epochs):
            known.clear()
        self.acknowledged = self.start = self.highest_start = 0
        self.topic_id = next_id.to_bytes(16, "big")

    def forget_lost(self, found: Collection[int], start: int) -> None:
        """A cut took what was not acknowledged, and compaction what nobody misses; what is before the start
        cannot be seen.
        """
        readable = max(self.acknowledged, start)
        for known in (self.records, self.markers, self.leader_epochs):
            for offset in [offset for offset in known if offset >= readable and offset not in found]:
                del known[offset]


class Life:
    """A server from its start to its end."""

    def __init__(self, root: Path, platform: Platform, config: LogConfig, model: Model) -> None:
        """Starts. Raises Died where the power is cut."""
        self.model = model
        self.config = config
        self.directory = LogDirectory.open(root, platform=platform)
        try:
            self._begin()
        except BaseException:
            self.directory.abandon()
            raise

    def _begin(self) -> None:
        path = self.directory.partition_path("t", 0)
        if path.exists() and self._is_stray(path):
            before = len(list(path.parent.glob("t-0.*-stray")))  # from earlier starts of the same disk
            path.rename(path.with_name(f"t-0.{before}-stray"))
        self.log = self.directory.open_partition(
            "t", 0, self.config, topic_id=self.model.topic_id, now_ms=NOW_MS
        )
        self.sequence = self._next_sequence(IDEMPOTENT)
        self.transactional_sequence = self._next_sequence(TRANSACTIONAL)
        entry = self.log.producers.entries.get(TRANSACTIONAL)
        self.is_in_transaction = entry is not None and entry.txn_first_offset is not None
        self.leader_epoch = self.log.leader_epochs.latest + 1

    def _is_stray(self, path: Path) -> bool:
        """Whether the cut brought back what was deleted."""
        try:
            return read_topic_id(path) not in (None, self.model.topic_id)
        except CorruptCheckpoint:
            return False

    def _next_sequence(self, producer_id: int) -> int:
        entry = self.log.producers.entries.get(producer_id)
        return entry.batches[-1].last_sequence + 1 if entry and entry.batches else 0

    def take(self, steps: list[str]) -> None:
        """Raises Died where the power is cut."""
        for number, step in enumerate(steps):
            getattr(self, step)(number)

    def _append(self, batch: bytes, *records: Stored) -> None:
        base_offset = self.log.end_offset
        for number, record in enumerate(records):
            self.model.records[base_offset + number] = record
            self.model.leader_epochs[base_offset + number] = self.leader_epoch
        assert append(self.log, batch, leader_epoch=self.leader_epoch).base_offset == base_offset

    def append(self, number: int) -> None:
        pairs = [(f"k{number % 5}", f"{number}"), (f"k{number % 3}", f"{number}")]
        self._append(keyed_batch(*pairs), *(Stored(key.encode(), value.encode()) for key, value in pairs))

    def large(self, number: int) -> None:
        value = bytes([number]) * 600
        self._append(batch_of(3, value=value), *[Stored(b"key", value)] * 3)

    def repeat(self, number: int) -> None:
        """A batch of an idempotent producer, which is sent twice."""
        key = f"i{number % 3}"
        batch = keyed_batch((key, "v"), producer_id=IDEMPOTENT, producer_epoch=0, base_sequence=self.sequence)
        self._append(batch, Stored(key.encode(), b"v", IDEMPOTENT, self.sequence))
        self.sequence += 1
        assert append(self.log, batch, leader_epoch=self.leader_epoch).is_duplicate

    def transact(self, number: int) -> None:
        sequence = self.transactional_sequence
        self.transactional_sequence += 1
        self.is_in_transaction = True
        batch = keyed_batch(
            (f"k{number % 4}", f"t{number}"),
            producer_id=TRANSACTIONAL,
            producer_epoch=0,
            base_sequence=sequence,
            is_transactional=True,
        )
        value = f"t{number}".encode()
        self._append(batch, Stored(f"k{number % 4}".encode(), value, TRANSACTIONAL, sequence))

    def commit(self, number: int) -> None:
        self._end(is_commit=True)

    def abort(self, number: int) -> None:
        self._end(is_commit=False)

    def _end(self, *, is_commit: bool) -> None:
        if self.is_in_transaction:
            self.model.markers[self.log.end_offset] = is_commit
            self.model.leader_epochs[self.log.end_offset] = self.leader_epoch
            end_transaction(self.log, TRANSACTIONAL, is_commit=is_commit, leader_epoch=self.leader_epoch)
            self.is_in_transaction = False

    def flush(self, number: int) -> None:
        self.model.acknowledged = max(self.model.acknowledged, self.log.flush())

    def roll(self, number: int) -> None:
        self.log.roll(NOW_MS)

    def compact(self, number: int) -> None:
        if self.config.is_compacted:
            round_ = compact(self.log, self.directory.cleaned_offset("t", 0))
            self.directory.write_cleaned_offset("t", 0, round_.end_offset)

    def checkpoint(self, number: int) -> None:
        self.directory.write_checkpoints()

    def delete(self, number: int) -> None:
        """DeleteRecords, and then retention."""
        offset = (self.log.log_start_offset + self.log.high_watermark) // 2
        self.model.highest_start = max(self.model.highest_start, offset)
        self.log.delete_records(offset)
        self.directory.write_log_starts()
        self.model.start = max(self.model.start, offset)
        self.log.delete_old_segments(NOW_MS).finish()

    def begin_epoch(self, number: int) -> None:
        self.leader_epoch += 1
        self.log.begin_epoch(self.leader_epoch)

    def recreate(self, number: int) -> None:
        """The topic is deleted and made anew, which the metadata log knows before anything else happens."""
        self.log.flush()  # where the old one's id was never on the disk, nothing tells it from the new one
        self.model.begin_anew()
        removal = self.directory.delete_partition("t", 0)
        assert removal is not None
        self._begin()
        removal.finish()

    def stop(self) -> None:
        """In order. Raises Died where the power is cut."""
        end_offset = self.log.end_offset
        self.directory.close()
        self.model.acknowledged = end_offset

    # What must be there

    def check(self) -> None:
        """Against the model, which goes on from what is there."""
        model, log = self.model, self.log
        assert model.acknowledged <= log.end_offset
        assert model.start <= log.log_start_offset
        stored = {record.offset: record for record in read_over_holes(log)}
        found = {
            offset: Stored(record.key, record.value)
            for offset, record in stored.items()
            if offset not in model.markers
        }
        for offset, record in found.items():
            assert model.records[offset][:2] == record[:2]
        model.forget_lost(stored, log.log_start_offset)
        self._check_records(found)
        self._check_transactions(found)
        self._check_producers()

    def _check_records(self, found: dict[int, Stored]) -> None:
        """What was acknowledged is there, or, where the log is compacted, a later one of its key."""
        last_of_key = {record.key: offset for offset, record in sorted(found.items())}
        aborted = self.model.aborted() if self.config.is_compacted else set()
        for offset, record in self.model.records.items():
            if self.model.highest_start <= offset < self.model.acknowledged and offset not in found:
                is_superseded = self.config.is_compacted and last_of_key.get(record.key, -1) > offset
                assert is_superseded or offset in aborted, f"{record} of offset {offset} is lost"

    def _check_transactions(self, found: dict[int, Stored]) -> None:
        log, model = self.log, self.model
        start = log.log_start_offset
        ended = max((offset for offset in model.markers if offset < log.end_offset), default=-1)
        unfinished = [
            offset
            for offset, record in model.records.items()
            if record.producer_id == TRANSACTIONAL and offset > ended
        ]
        stable = max(min(unfinished, default=log.end_offset), start)
        # Of a transaction that began before the log's start only what is left may be known.
        left = [offset for offset in unfinished if offset >= start]
        assert stable <= log.last_stable_offset <= min(left, default=log.end_offset)
        committed = read_committed(log, log.last_stable_offset, 1 << 20)
        aborted = model.aborted()
        assert [offset for offset in committed if offset >= start] == [
            offset
            for offset in sorted(found)
            if start <= offset < log.last_stable_offset and offset not in aborted
        ]

    def _check_producers(self) -> None:
        """Whatever a producer has in the log, it is known where it goes on."""
        log = self.log
        for producer_id in (IDEMPOTENT, TRANSACTIONAL):
            sequences = [
                record.sequence
                for offset, record in self.model.records.items()
                if record.producer_id == producer_id
                and log.log_start_offset <= offset < self.model.acknowledged
            ]
            if sequences:
                entry = log.producers.entries[producer_id]
                assert entry.batches[-1].last_sequence >= max(sequences)
        # An empty log does not tell its epoch: the metadata do.
        epochs = [
            epoch
            for offset, epoch in self.model.leader_epochs.items()
            if log.log_start_offset <= offset < self.model.acknowledged
        ]
        assert log.leader_epochs.latest >= max(epochs, default=-1)


def read_over_holes(log: PartitionLog) -> Iterator[Record]:
    """All that can be read, also where segments that were never synced are gone."""
    offset = log.log_start_offset
    while offset < log.end_offset:
        view = log.read(offset, 1 << 20).view()
        offset += 1
        position = 0
        for header in iter_headers(view, partial_ok=True):
            yield from iter_records(view, position, header=header)
            position += header.size_bytes
            offset = header.next_offset
