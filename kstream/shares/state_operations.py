"""What is asked of the share-state coordinator, one share partition at a time (KIP-932).

A state epoch is that of the group's claim on a partition: initializing with a higher one starts the state
over, and writers of an older one are fenced. A leader epoch is that of the topic's partition: a reader
with a higher one takes over, and writers of an older one are fenced. Where nothing was initialized,
reading and writing are invalid.
"""

from __future__ import annotations

from collections.abc import Iterable

from kstream.coordinator.outcome import CoordinatorRecord, Outcome
from kstream.errors import ApiError, ErrorCode
from kstream.records.schemas.share import (
    ShareSnapshotKey,
    ShareSnapshotValue,
    ShareUpdateKey,
    ShareUpdateValue,
)
from kstream.shares.state_batches import NO_OFFSET, StateBatch, StateBatches, combined
from kstream.shares.state_store import ShareKey, ShareStateStore, StoredShare, stored
from kstream.wire.messages import (
    initialize_share_group_state,
    read_share_group_state,
    read_share_group_state_summary,
    write_share_group_state,
)

_NEVER_INITIALIZED = "This share partition was never initialized."


def initialize(
    store: ShareStateStore,
    key: ShareKey,
    wanted: initialize_share_group_state.PartitionData,
    token: object,
    now_ms: int,
) -> Outcome:
    """Begin a state at an offset; -1 lets the first reader find it. What was there is gone.

    Raises:
        ApiError: INVALID_REQUEST, FENCED_STATE_EPOCH, UNKNOWN_TOPIC_OR_PARTITION.
    """
    _check_partition(key)
    _check_state_epoch(wanted.state_epoch)
    share = store.shares.get(key)
    if share is not None and share.highest_state_epoch > wanted.state_epoch:
        raise _fenced_state_epoch()
    _check_topic(store, key)
    out = Outcome()
    out.records.append(
        _snapshot(
            key,
            now_ms,
            snapshot_epoch=0 if share is None else share.snapshot_epoch + 1,
            state_epoch=wanted.state_epoch,
            leader_epoch=0,
            start_offset=wanted.start_offset,
            delivery_complete_count=-1 if wanted.start_offset == NO_OFFSET else 0,
            batches=StateBatches(),
        )
    )
    return out.reply(token, ErrorCode.NONE)


def read(
    store: ShareStateStore,
    key: ShareKey,
    leader_epoch: int,
    token: object,
    now_ms: int,
) -> Outcome:
    """All of a state, for the partition's leader, whose epoch counts from now on.

    Raises:
        ApiError: INVALID_REQUEST, FENCED_LEADER_EPOCH, UNKNOWN_TOPIC_OR_PARTITION.
    """
    _check_partition(key)
    _check_leader_epoch(leader_epoch)
    share = _initialized(store, key)
    if share.highest_leader_epoch > leader_epoch:
        raise _fenced_leader_epoch()
    _check_topic(store, key)
    out = Outcome()
    if share.highest_leader_epoch != leader_epoch:
        out.records.append(
            _write_record(
                store,
                key,
                share,
                now_ms,
                leader_epoch=leader_epoch,
                start_offset=share.start_offset,
                delivery_complete_count=share.delivery_complete_count,
                new=(),
            )
        )
    found = read_share_group_state.PartitionResult(
        partition=key.partition,
        state_epoch=share.state_epoch,
        start_offset=share.start_offset,
        state_batches=[read_share_group_state.StateBatch(**batch._asdict()) for batch in share.batches],
    )
    return out.reply(token, found)


def write(
    store: ShareStateStore,
    key: ShareKey,
    wanted: write_share_group_state.PartitionData,
    token: object,
    now_ms: int,
) -> Outcome:
    """Change a state: the start offset moves on, batches take the place of older ones.

    Raises:
        ApiError: INVALID_REQUEST, FENCED_LEADER_EPOCH, FENCED_STATE_EPOCH, UNKNOWN_TOPIC_OR_PARTITION.
    """
    _check_partition(key)
    _check_leader_epoch(wanted.leader_epoch)
    _check_state_epoch(wanted.state_epoch)
    share = _initialized(store, key)
    if share.highest_leader_epoch > wanted.leader_epoch:
        raise _fenced_leader_epoch()
    if share.highest_state_epoch > wanted.state_epoch:
        raise _fenced_state_epoch()
    _check_topic(store, key)
    # A write that was overtaken must not turn the start back, nor the count that belongs to it.
    delivery_complete_count = wanted.delivery_complete_count
    if wanted.start_offset == share.start_offset:
        delivery_complete_count = max(delivery_complete_count, share.delivery_complete_count)
    elif wanted.start_offset < share.start_offset:
        delivery_complete_count = share.delivery_complete_count
    out = Outcome()
    out.records.append(
        _write_record(
            store,
            key,
            share,
            now_ms,
            leader_epoch=share.leader_epoch,
            start_offset=max(wanted.start_offset, share.start_offset),
            delivery_complete_count=delivery_complete_count,
            new=(
                StateBatch(batch.first_offset, batch.last_offset, batch.delivery_state, batch.delivery_count)
                for batch in wanted.state_batches
            ),
        )
    )
    return out.reply(token, ErrorCode.NONE)


def delete(store: ShareStateStore, key: ShareKey, token: object) -> Outcome:
    """Forget a state; there need be none.

    Raises:
        ApiError: INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION.
    """
    _check_partition(key)
    _check_topic(store, key)
    out = Outcome()
    if key in store.shares:
        out.records.append(_tombstone(key))
    return out.reply(token, ErrorCode.NONE)


def read_summary(store: ShareStateStore, key: ShareKey, token: object) -> Outcome:
    """How far a share partition has come; nothing is written, and nobody fenced.

    Raises:
        ApiError: INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION.
    """
    _check_partition(key)
    _check_topic(store, key)
    share = store.shares.get(key)
    found = read_share_group_state_summary.PartitionResult(partition=key.partition, start_offset=NO_OFFSET)
    if share is not None:
        found.state_epoch = share.state_epoch
        found.leader_epoch = share.leader_epoch
        found.start_offset = share.start_offset
        found.delivery_complete_count = share.delivery_complete_count
    return Outcome().reply(token, found)


def snapshot_cold(store: ShareStateStore, now_ms: int) -> Outcome:
    """Write snapshots of what nobody has changed for long, so that older records of the topic can go."""
    out = Outcome()
    shares = store.shares
    if all(share.create_ms != share.write_ms for share in shares.values()):
        return out  # All were written in this way already, and nothing has changed since.
    for key, share in shares.items():
        if now_ms - share.write_ms >= store.settings.cold_snapshot_interval_ms:
            out.records.append(
                _snapshot(
                    key,
                    now_ms,
                    snapshot_epoch=share.snapshot_epoch + 1,
                    state_epoch=share.state_epoch,
                    leader_epoch=share.leader_epoch,
                    start_offset=share.start_offset,
                    delivery_complete_count=share.delivery_complete_count,
                    batches=share.batches,
                    create_ms=share.create_ms,
                )
            )
    return out


def forget_topics(store: ShareStateStore, topic_ids: Iterable[bytes]) -> Outcome:
    """Topics were deleted, and every group's place in them."""
    gone = set(topic_ids)
    out = Outcome()
    out.records += [_tombstone(key) for key in store.shares if key.topic_id in gone]
    return out


def _initialized(store: ShareStateStore, key: ShareKey) -> StoredShare:
    share = store.shares.get(key)
    if share is None:
        raise ApiError(ErrorCode.INVALID_REQUEST, _NEVER_INITIALIZED)
    return share


def _check_partition(key: ShareKey) -> None:
    if key.partition < 0:
        raise ApiError(ErrorCode.INVALID_REQUEST, "A partition's number is not negative.")


def _check_leader_epoch(epoch: int) -> None:
    if epoch < 0:
        raise ApiError(ErrorCode.INVALID_REQUEST, "A leader epoch is not negative.")


def _check_state_epoch(epoch: int) -> None:
    if epoch < 0:
        raise ApiError(ErrorCode.INVALID_REQUEST, "A state epoch is not negative.")


def _check_topic(store: ShareStateStore, key: ShareKey) -> None:
    count = store.topics.partition_count(key.topic_id)
    if count is None or key.partition >= count:
        raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "There is no such topic or partition.")


def _fenced_state_epoch() -> ApiError:
    return ApiError(
        ErrorCode.FENCED_STATE_EPOCH, "The share partition was initialized with a newer state epoch."
    )


def _fenced_leader_epoch() -> ApiError:
    return ApiError(ErrorCode.FENCED_LEADER_EPOCH, "A newer leader has taken over the share partition.")


def _write_record(
    store: ShareStateStore,
    key: ShareKey,
    share: StoredShare,
    now_ms: int,
    *,
    leader_epoch: int,
    start_offset: int,
    delivery_complete_count: int,
    new: Iterable[StateBatch],
) -> CoordinatorRecord:
    """An update, or a snapshot of what it leads to once there were enough updates."""
    if share.updates >= store.settings.updates_per_snapshot:
        batches = share.batches.copy()
        for batch in new:
            batches.merge(batch)
        batches.cut_before(start_offset)
        return _snapshot(
            key,
            now_ms,
            snapshot_epoch=share.snapshot_epoch + 1,
            state_epoch=share.state_epoch,
            leader_epoch=leader_epoch,
            start_offset=start_offset,
            delivery_complete_count=delivery_complete_count,
            batches=batches,
        )
    return CoordinatorRecord(
        ShareUpdateKey(group_id=key.group_id, topic_id=key.topic_id, partition=key.partition),
        ShareUpdateValue(
            snapshot_epoch=share.snapshot_epoch,
            leader_epoch=leader_epoch,
            start_offset=start_offset,
            delivery_complete_count=delivery_complete_count,
            state_batches=stored(combined(new, start_offset)),
        ),
    )


def _snapshot(
    key: ShareKey,
    now_ms: int,
    *,
    snapshot_epoch: int,
    state_epoch: int,
    leader_epoch: int,
    start_offset: int,
    delivery_complete_count: int,
    batches: StateBatches,
    create_ms: int | None = None,
) -> CoordinatorRecord:
    return CoordinatorRecord(
        ShareSnapshotKey(group_id=key.group_id, topic_id=key.topic_id, partition=key.partition),
        ShareSnapshotValue(
            snapshot_epoch=snapshot_epoch,
            state_epoch=state_epoch,
            leader_epoch=leader_epoch,
            start_offset=start_offset,
            delivery_complete_count=delivery_complete_count,
            create_timestamp=now_ms if create_ms is None else create_ms,
            write_timestamp=now_ms,
            state_batches=stored(batches),
        ),
    )


def _tombstone(key: ShareKey) -> CoordinatorRecord:
    return CoordinatorRecord(
        ShareSnapshotKey(group_id=key.group_id, topic_id=key.topic_id, partition=key.partition), None
    )
