"""Runs one shard of the share-state coordinator as the broker does: a log in memory that can lose its
beginning, time by hand.

Every record goes through its bytes and into a second shard that only replays, so that "replaying what was
written gives equal state" is checked after every single outcome.
"""

from __future__ import annotations

from typing import Any

from kstream.coordinator.codec import RecordDecoder, encode_record
from kstream.coordinator.outcome import Outcome
from kstream.coordinator.timers import TimerHeap
from kstream.shares import state_operations
from kstream.shares.state_shard import ShareStateShard
from kstream.shares.state_store import KEYS, VALUES, ShareKey, ShareStateSettings
from kstream.wire.messages import (
    initialize_share_group_state,
    read_share_group_state,
    read_share_group_state_summary,
    write_share_group_state,
)

START_MS = 1_700_000_000_000
TOPIC = bytes(15) + b"\x07"
DECODER = RecordDecoder(KEYS, VALUES)
Batch = tuple[int, int, int, int]


class FixedTopics:
    """Two partitions of one topic, until it is deleted."""

    def __init__(self) -> None:
        self.counts = {TOPIC: 2}

    def partition_count(self, topic_id: bytes) -> int | None:
        return self.counts.get(topic_id)


class StateDriver:
    """A shard at work. `log` has (offset, key, value, time)."""

    def __init__(self, settings: ShareStateSettings | None = None) -> None:
        self.settings = settings or ShareStateSettings()
        self.topics = FixedTopics()
        self.now_ms = START_MS
        self.log: list[tuple[int, bytes, bytes | None, int]] = []
        self.end_offset = 0
        self.restart()

    def restart(self) -> None:
        """The process dies; another one has only the log."""
        self.shard = ShareStateShard(self.settings, self.topics)
        self.follower = ShareStateShard(self.settings, self.topics)
        self.timers = TimerHeap()
        for offset, key, value, timestamp_ms in self.log:
            record = DECODER.decode(key, value)
            assert record is not None
            for shard in (self.shard, self.follower):
                shard.replay(record)
                shard.on_stored(record, offset, timestamp_ms)
        self.carry_out(self.shard.on_loaded(self.now_ms))

    def prune(self) -> None:
        """The log loses all that the shard does not need."""
        oldest = self.shard.oldest_needed_offset
        self.log = [entry for entry in self.log if entry[0] >= oldest]

    def carry_out(self, outcome: Outcome) -> Any:
        """All of an outcome; the one reply, if there is one."""
        for record in outcome.records:
            key, value = encode_record(record)
            self.shard.replay(record)
            self.shard.on_stored(record, self.end_offset, self.now_ms)
            decoded = DECODER.decode(key, value)
            assert decoded is not None
            self.follower.replay(decoded)
            self.follower.on_stored(decoded, self.end_offset, self.now_ms)
            self.log.append((self.end_offset, key, value, self.now_ms))
            self.end_offset += 1
        for timer, delay_ms in outcome.timers.items():
            if delay_ms is not None:
                self.timers.set(timer, self.now_ms + delay_ms)
        assert self.written() == written(self.follower)
        return outcome.replies[0][1] if outcome.replies else None

    def written(self) -> dict[ShareKey, object]:
        return written(self.shard)

    def wait(self, delay_ms: int) -> None:
        """Let time pass, and do what is due."""
        self.now_ms += delay_ms
        for key in self.timers.pop_due(self.now_ms):
            assert isinstance(key, tuple)
            self.carry_out(self.shard.on_timer(key, self.now_ms))

    # Requests

    def initialize(self, key: ShareKey, start_offset: int = 0, state_epoch: int = 0) -> Any:
        wanted = initialize_share_group_state.PartitionData(
            partition=key.partition, start_offset=start_offset, state_epoch=state_epoch
        )
        return self.carry_out(state_operations.initialize(self.shard.store, key, wanted, None, self.now_ms))

    def read(self, key: ShareKey, leader_epoch: int = 0) -> read_share_group_state.PartitionResult:
        found: read_share_group_state.PartitionResult = self.carry_out(
            state_operations.read(self.shard.store, key, leader_epoch, None, self.now_ms)
        )
        return found

    def write(
        self,
        key: ShareKey,
        *batches: Batch,
        start_offset: int = 0,
        complete: int = 0,
        state_epoch: int = 0,
        leader_epoch: int = 0,
    ) -> Any:
        wanted = write_share_group_state.PartitionData(
            partition=key.partition,
            state_epoch=state_epoch,
            leader_epoch=leader_epoch,
            start_offset=start_offset,
            delivery_complete_count=complete,
            state_batches=[
                write_share_group_state.StateBatch(
                    first_offset=first, last_offset=last, delivery_state=state, delivery_count=count
                )
                for first, last, state, count in batches
            ],
        )
        return self.carry_out(state_operations.write(self.shard.store, key, wanted, None, self.now_ms))

    def delete(self, key: ShareKey) -> Any:
        return self.carry_out(state_operations.delete(self.shard.store, key, None))

    def summary(self, key: ShareKey) -> read_share_group_state_summary.PartitionResult:
        found: read_share_group_state_summary.PartitionResult = self.carry_out(
            state_operations.read_summary(self.shard.store, key, None)
        )
        return found

    def forget_topic(self) -> None:
        """The topic is deleted."""
        self.topics.counts.clear()
        self.carry_out(state_operations.forget_topics(self.shard.store, [TOPIC]))


def written(shard: ShareStateShard) -> dict[ShareKey, object]:
    """All hard state of a shard."""
    return {key: share.written() for key, share in shard.store.shares.items()}
