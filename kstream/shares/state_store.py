"""What the share-state coordinator knows, from one partition of `__share_group_state`: hard state, which only
replay changes.

A snapshot record says all of one share partition, the updates after it what changed. After so many
updates (`share.coordinator.snapshot.update.records.per.snapshot`) a snapshot is written instead of one
more, so loading reads a bounded tail. A snapshot's tombstone forgets the share partition.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple, Protocol

from kstream.coordinator.outcome import CoordinatorRecord
from kstream.errors import ApiError, ErrorCode
from kstream.records.schemas.share import (
    ShareSnapshotKey,
    ShareSnapshotValue,
    ShareUpdateKey,
    ShareUpdateValue,
)
from kstream.records.schemas.share import StateBatch as StoredBatch
from kstream.shares.state_batches import NO_OFFSET, StateBatch, StateBatches
from kstream.wire.schema import Message
from kstream.wire.uuids import format_uuid, parse_uuid

_INTEGER = re.compile(r"[+-]?[0-9]{1,10}")

KEYS: dict[int, type[Message]] = {0: ShareSnapshotKey, 1: ShareUpdateKey}
VALUES: dict[int, type[Message]] = {0: ShareSnapshotValue, 1: ShareUpdateValue}


class ShareKey(NamedTuple):
    """A share partition: one partition of a topic, as one group reads it."""

    group_id: str
    topic_id: bytes
    partition: int

    @property
    def coordinator_key(self) -> str:
        """What its coordinator is found by."""
        return f"{self.group_id}:{format_uuid(self.topic_id)}:{self.partition}"

    @classmethod
    def parse(cls, coordinator_key: str) -> ShareKey:
        """What a key stands for; group ids may have colons. Raises ApiError INVALID_REQUEST."""
        group_id, _, rest = coordinator_key.rpartition(":")
        group_id, _, topic_id = group_id.rpartition(":")
        if not group_id.strip() or not _INTEGER.fullmatch(rest) or not -(2**31) <= int(rest) < 2**31:
            raise ApiError(
                ErrorCode.INVALID_REQUEST, "A key of a share partition is group:topic id:partition."
            )
        try:
            return cls(group_id, parse_uuid(topic_id), int(rest))
        except ValueError as error:
            raise ApiError(ErrorCode.INVALID_REQUEST, f"Key of a share partition: {error}.") from None


class Topics(Protocol):
    """The cluster's topics as they are now."""

    def partition_count(self, topic_id: bytes) -> int | None:
        """None for a topic that does not exist."""
        ...


class ShareStateSettings(NamedTuple):
    """The broker's configuration of the share-state coordinator."""

    updates_per_snapshot: int = 500
    cold_snapshot_interval_ms: int = 300_000


class StoredShare:
    """The stored state of one share partition."""

    __slots__ = (
        "batches",
        "create_ms",
        "delivery_complete_count",
        "highest_leader_epoch",
        "highest_state_epoch",
        "leader_epoch",
        "snapshot_epoch",
        "start_offset",
        "state_epoch",
        "updates",
        "write_ms",
    )

    def __init__(self) -> None:
        self.snapshot_epoch = 0
        self.state_epoch = 0
        self.leader_epoch = 0
        self.start_offset = NO_OFFSET
        self.delivery_complete_count = -1
        self.create_ms = 0
        self.write_ms = 0
        self.batches = StateBatches()
        self.highest_leader_epoch = 0
        """Of all that was ever written: whoever comes with a lower one is fenced."""
        self.highest_state_epoch = 0
        self.updates = 0
        """Since the snapshot that counting began at."""

    def written(self) -> tuple[object, ...]:
        """All of it, for comparison."""
        return tuple(getattr(self, name) for name in sorted(self.__slots__) if name != "batches") + tuple(
            self.batches
        )


class ShareStateStore:
    """Share partitions by key. Operations are functions in `state_operations`."""

    def __init__(self, settings: ShareStateSettings, topics: Topics) -> None:
        self.settings = settings
        self.topics = topics
        self.shares: dict[ShareKey, StoredShare] = {}

    def replay(self, record: CoordinatorRecord) -> None:
        """Take over one record."""
        value: Any = record.value
        key = key_of(record)
        if isinstance(record.key, ShareUpdateKey):
            if value is not None:
                self._update(key, value)
        elif value is None:
            self.shares.pop(key, None)
        else:
            self._snapshot(key, value)

    def _snapshot(self, key: ShareKey, value: ShareSnapshotValue) -> None:
        share = self.shares.get(key)
        if share is None:
            share = self.shares[key] = StoredShare()
            share.highest_leader_epoch = value.leader_epoch
            share.highest_state_epoch = value.state_epoch
        share.highest_leader_epoch = max(share.highest_leader_epoch, value.leader_epoch)
        share.highest_state_epoch = max(share.highest_state_epoch, value.state_epoch)
        share.snapshot_epoch = value.snapshot_epoch
        share.state_epoch = value.state_epoch
        share.leader_epoch = value.leader_epoch
        share.start_offset = value.start_offset
        share.delivery_complete_count = value.delivery_complete_count
        share.create_ms = value.create_timestamp
        share.write_ms = value.write_timestamp
        share.batches = StateBatches(map(_loaded, value.state_batches))
        if share.updates >= self.settings.updates_per_snapshot:
            share.updates = 0

    def _update(self, key: ShareKey, value: ShareUpdateValue) -> None:
        share = self.shares.get(key)
        if share is None:
            # Its snapshot is not in the log: what the update says is all there is.
            share = self.shares[key] = StoredShare()
            share.snapshot_epoch = value.snapshot_epoch
            share.highest_leader_epoch = share.leader_epoch = value.leader_epoch
            share.start_offset = value.start_offset
        share.highest_leader_epoch = max(share.highest_leader_epoch, value.leader_epoch)
        if value.leader_epoch != -1:
            share.leader_epoch = value.leader_epoch
        if value.start_offset != NO_OFFSET:
            share.start_offset = value.start_offset
        share.delivery_complete_count = value.delivery_complete_count
        share.batches.cut_before(share.start_offset)
        for batch in value.state_batches:
            if batch.last_offset >= share.start_offset:
                share.batches.merge(_loaded(batch))
        share.batches.cut_before(share.start_offset)
        share.updates += 1


def key_of(record: CoordinatorRecord) -> ShareKey:
    """Which share partition a record is of."""
    key = record.key
    assert isinstance(key, ShareSnapshotKey | ShareUpdateKey)
    return ShareKey(key.group_id, key.topic_id, key.partition)


def _loaded(batch: StoredBatch) -> StateBatch:
    return StateBatch(batch.first_offset, batch.last_offset, batch.delivery_state, batch.delivery_count)


def stored(batches: StateBatches) -> list[StoredBatch]:
    """Batches as records have them."""
    return [
        StoredBatch(
            first_offset=batch.first_offset,
            last_offset=batch.last_offset,
            delivery_state=batch.delivery_state,
            delivery_count=batch.delivery_count,
        )
        for batch in batches
    ]
