"""When records of a share partition were let go of: exact while the log tells, never too early after that."""

from __future__ import annotations

from kstream.shares import release_times
from kstream.shares.release_times import ReleaseTimes
from kstream.shares.state_batches import StateBatch
from kstream.shares.state_store import ShareKey, ShareStateSettings
from tests.shares.state_driver import START_MS, TOPIC, StateDriver

KEY = ShareKey("g", TOPIC, 0)
AVAILABLE, ACKNOWLEDGED = 0, 2


def times(driver: StateDriver, *offsets: int) -> list[int]:
    """Milliseconds after the start at which these were let go of; -1 for never."""
    found = driver.shard.release_times(KEY)
    assert found is not None
    return [(at - START_MS if (at := found.time_ms_of(offset)) else -1) for offset in offsets]


def test_the_times_of_the_log_tell_also_after_a_restart() -> None:
    driver = StateDriver()
    driver.initialize(KEY)
    driver.write(KEY, (0, 4, ACKNOWLEDGED, 1))
    assert driver.shard.release_times(KEY) is None
    driver.now_ms += 10
    driver.write(KEY, (5, 9, AVAILABLE, 1))
    driver.now_ms += 10
    driver.write(KEY, (7, 7, AVAILABLE, 2), (20, 20, AVAILABLE, 0))
    for _ in range(2):
        assert times(driver, 4, 5, 6, 7, 8, 9, 10, 20) == [-1, 10, 10, 20, 10, 10, -1, -1]
        driver.restart()


def test_a_snapshot_stands_for_what_came_with_it_and_once_it_is_the_first_for_all() -> None:
    driver = StateDriver(ShareStateSettings(updates_per_snapshot=2))
    driver.initialize(KEY)
    for offset in range(3):  # the third write is a snapshot
        driver.now_ms += 10
        driver.write(KEY, (offset, offset, AVAILABLE, 1))
    assert times(driver, 0, 1, 2) == [10, 20, 30]
    driver.restart()
    assert times(driver, 0, 1, 2) == [10, 20, 30]
    driver.prune()
    driver.restart()
    assert times(driver, 0, 1, 2) == [30, 30, 30]


def test_what_is_started_over_or_deleted_has_no_times() -> None:
    driver = StateDriver()
    driver.initialize(KEY)
    driver.write(KEY, (0, 0, AVAILABLE, 1))
    assert times(driver, 0) == [0]
    driver.initialize(KEY, state_epoch=1)
    assert driver.shard.release_times(KEY) is None
    driver.write(KEY, (0, 0, AVAILABLE, 1), state_epoch=1)
    assert times(driver, 0) == [0]
    driver.delete(KEY)
    assert driver.shard.release_times(KEY) is None


def test_times_are_bounded_and_what_is_forgotten_counts_as_late() -> None:
    known = ReleaseTimes()
    count = release_times._RANGES_MAX + 1
    for number in range(count):
        known.note([StateBatch(2 * number, 2 * number, AVAILABLE, 1)], 0, 1 + number)
    assert len(known) <= count // 2 + 1
    assert known.time_ms_of(2 * (count - 1)) == count
    assert all(known.time_ms_of(2 * number) >= 1 + number for number in range(count))
    assert known.time_ms_of(0) <= count // 2 + 1
