"""The share-state coordinator: snapshots and updates, epochs, what the log can lose, restarts anywhere."""

from __future__ import annotations

import random

import pytest

from kstream.errors import ApiError, ErrorCode
from kstream.records.schemas.share import ShareSnapshotKey, ShareSnapshotValue, ShareUpdateKey
from kstream.shares.state_store import ShareKey, ShareStateSettings
from tests.shares.state_driver import DECODER, TOPIC, StateDriver

KEY = ShareKey("g", TOPIC, 0)
OTHER = ShareKey("g", TOPIC, 1)
AVAILABLE, ACKNOWLEDGED, ARCHIVED = 0, 2, 4


def _kinds(driver: StateDriver) -> list[str]:
    kinds = []
    for _, key, value, _ in driver.log:
        record = DECODER.decode(key, value)
        assert record is not None
        if isinstance(record.key, ShareUpdateKey):
            kinds.append("update")
        else:
            assert isinstance(record.key, ShareSnapshotKey)
            kinds.append("tombstone" if record.value is None else "snapshot")
    return kinds


def _snapshots(driver: StateDriver) -> list[ShareSnapshotValue]:
    values = [record.value for _, key, value, _ in driver.log if (record := DECODER.decode(key, value))]
    return [value for value in values if isinstance(value, ShareSnapshotValue)]


def _refused(code: ErrorCode) -> pytest.RaisesExc[ApiError]:
    return pytest.RaisesExc(ApiError, check=lambda error: error.code is code)


def test_a_snapshot_follows_so_many_updates_and_says_all_of_them() -> None:
    driver = StateDriver(ShareStateSettings(updates_per_snapshot=3))
    driver.initialize(KEY)
    for offset in range(8):
        driver.write(KEY, (offset, offset, ACKNOWLEDGED, 1), complete=offset + 1)

    updates, snapshot = ["update"] * 3, ["snapshot"]
    assert _kinds(driver) == snapshot + updates + snapshot + updates + snapshot
    first, second, third = _snapshots(driver)
    assert [each.snapshot_epoch for each in (first, second, third)] == [0, 1, 2]
    assert [(each.first_offset, each.last_offset) for each in third.state_batches] == [(0, 7)]
    assert third.delivery_complete_count == 8


def test_with_no_updates_per_snapshot_every_write_is_a_snapshot() -> None:
    driver = StateDriver(ShareStateSettings(updates_per_snapshot=0))
    driver.initialize(KEY)
    driver.write(KEY, (0, 3, AVAILABLE, 1))
    driver.write(KEY, (0, 3, ACKNOWLEDGED, 1), start_offset=4)

    assert _kinds(driver) == ["snapshot"] * 3
    assert driver.read(KEY).start_offset == 4


def test_reading_with_a_higher_leader_epoch_is_written_down_once() -> None:
    driver = StateDriver()
    driver.initialize(KEY)
    driver.read(KEY, leader_epoch=4)
    driver.read(KEY, leader_epoch=4)
    driver.restart()

    assert _kinds(driver) == ["snapshot", "update"]
    with _refused(ErrorCode.FENCED_LEADER_EPOCH):
        driver.read(KEY, leader_epoch=3)
    with _refused(ErrorCode.FENCED_LEADER_EPOCH):
        driver.write(KEY, leader_epoch=3)


def test_a_state_that_was_started_over_fences_writers_of_the_old_one() -> None:
    driver = StateDriver()
    driver.initialize(KEY)
    driver.write(KEY, (0, 9, ACKNOWLEDGED, 1), start_offset=10)
    driver.initialize(KEY, start_offset=2, state_epoch=1)

    with _refused(ErrorCode.FENCED_STATE_EPOCH):
        driver.write(KEY, start_offset=11, state_epoch=0)
    with _refused(ErrorCode.FENCED_STATE_EPOCH):
        driver.initialize(KEY, state_epoch=0)
    found = driver.read(KEY)
    assert (found.state_epoch, found.start_offset, found.state_batches) == (1, 2, [])


def test_a_deleted_topic_leaves_nothing() -> None:
    driver = StateDriver()
    driver.initialize(KEY)
    driver.initialize(OTHER)
    driver.forget_topic()

    assert not driver.written()
    assert _kinds(driver)[-2:] == ["tombstone", "tombstone"]
    with _refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION):
        driver.initialize(KEY)


def test_what_nobody_changes_is_written_again_once_so_that_old_records_can_go() -> None:
    driver = StateDriver(ShareStateSettings(cold_snapshot_interval_ms=1000))
    driver.initialize(KEY)
    driver.initialize(OTHER)
    for _ in range(20):
        driver.write(OTHER, (0, 0, AVAILABLE, 1))
    assert driver.shard.oldest_needed_offset == 0
    driver.wait(1000)
    count = len(driver.log)

    assert driver.shard.oldest_needed_offset == count - 2
    driver.wait(1000)
    driver.wait(1000)
    assert len(driver.log) == count  # It says nothing new again and again.


def test_deleting_the_last_share_lets_all_but_its_tombstone_go() -> None:
    driver = StateDriver()
    driver.initialize(KEY)
    driver.write(KEY, (0, 3, AVAILABLE, 1))
    driver.delete(KEY)
    driver.prune()
    driver.restart()

    assert _kinds(driver) == ["tombstone"]
    assert not driver.written()


@pytest.mark.parametrize("seed", range(30))
def test_restarts_and_pruning_at_any_moment_change_nothing(seed: int) -> None:
    chance = random.Random(seed)
    driver = StateDriver(
        ShareStateSettings(updates_per_snapshot=chance.randrange(6), cold_snapshot_interval_ms=5000)
    )
    starts = {KEY: 0, OTHER: 0}
    epochs = {KEY: 0, OTHER: 0}
    for _ in range(150):
        key = chance.choice((KEY, OTHER))
        action = chance.random()
        try:
            if action < 0.6:
                starts[key] += chance.randrange(3)
                first = starts[key] + chance.randrange(8)
                last = first + chance.randrange(4)
                batch = (first, last, chance.choice((0, 2, 3, 4)), chance.randrange(1, 4))
                driver.write(key, batch, start_offset=starts[key], state_epoch=epochs[key], leader_epoch=99)
            elif action < 0.7:
                driver.read(key, leader_epoch=99)
            elif action < 0.8:
                epochs[key] += chance.randrange(2)
                starts[key] = chance.randrange(20)
                driver.initialize(key, starts[key], epochs[key])
            elif action < 0.83:
                driver.delete(key)
                epochs[key] = 0
            else:
                driver.wait(chance.randrange(4000))
        except ApiError as error:
            if error.code is not ErrorCode.INVALID_REQUEST:  # Else it is not initialized.
                raise
        before = {key: driver.summary(key) for key in (KEY, OTHER)}, _readable(driver)
        if chance.random() < 0.2:
            driver.prune()
        driver.restart()
        assert ({key: driver.summary(key) for key in (KEY, OTHER)}, _readable(driver)) == before


def _readable(driver: StateDriver) -> dict[ShareKey, object]:
    """What answers depend on: how many updates a shard has counted is not, nor can a shorter log tell."""
    return {
        key: (share.state_epoch, share.start_offset, share.delivery_complete_count, share.batches)
        for key, share in driver.shard.store.shares.items()
    }
