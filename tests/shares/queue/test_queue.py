"""What a queue delivers, and when: each feature by itself."""

from __future__ import annotations

from kstream.shares.limits import AcknowledgeType, ShareLimits
from kstream.shares.queue.rules import QueueRules
from kstream.shares.states import RecordState
from tests.shares.queue.driving import NOW_MS, Driver, record

RELEASE, REJECT = AcknowledgeType.RELEASE, AcknowledgeType.REJECT


def plain(count: int, **rest: object) -> list:  # type: ignore[type-arg]
    return [record(offset, str(offset), **rest) for offset in range(count)]  # type: ignore[arg-type]


def test_without_special_records_it_is_a_queue_in_the_order_of_the_log() -> None:
    driver = Driver(records=plain(10))
    assert driver.drain(count=4) == list(range(10))
    assert driver.window.start_offset == 10


def test_a_delayed_record_comes_at_its_time_and_others_do_not_wait_for_it() -> None:
    delayed = record(0, headers={"kstream-delay-ms": "5000"})
    fixed = record(1, headers={"kstream-deliver-at-ms": str(NOW_MS + 2000)})
    driver = Driver(records=[delayed, fixed, record(2)])
    assert driver.drain() == [2]
    assert driver.queue.wakes_at_ms == NOW_MS + 2000
    driver.now_ms += 1999
    assert driver.drain() == []
    driver.now_ms += 1
    assert driver.drain() == [1]
    driver.now_ms += 3000
    assert driver.drain() == [0]
    assert driver.window.start_offset == 3


def test_a_delay_outlives_a_restart() -> None:
    driver = Driver(records=[record(0, headers={"kstream-delay-ms": "5000"}), record(1)])
    assert driver.drain() == [1]
    driver.restart()
    assert driver.drain() == []
    driver.now_ms += 5000
    assert driver.drain() == [0]


def test_headers_that_are_no_numbers_mean_nothing() -> None:
    wrong = {"kstream-delay-ms": "soon", "kstream-priority": "-1", "kstream-ttl-ms": "9" * 30}
    assert Driver(records=[record(0, headers=wrong)]).drain() == [0]


def test_a_released_record_is_held_back_longer_each_time() -> None:
    rules = QueueRules(backoff_ms=1000, backoff_multiplier=2, backoff_ms_max=3000)
    driver = Driver(rules, [record(0)], limits=ShareLimits(delivery_count_max=10))
    for held_ms in (1000, 2000, 3000, 3000):
        assert driver.fetch() == [0]
        driver.settle(0, kind=RELEASE)
        driver.now_ms += held_ms - 1
        assert driver.fetch() == []
        driver.now_ms += 1
    assert driver.drain() == [0]


def test_jitter_takes_away_from_the_backoff() -> None:
    rules = QueueRules(backoff_ms=1000, backoff_jitter=0.5)
    assert [rules.backoff_of(1, chance) for chance in (0.0, 0.5, 1.0)] == [1000, 750, 500]


def test_a_lock_that_expires_means_backoff_too() -> None:
    driver = Driver(QueueRules(backoff_ms=1000), [record(0)])
    assert driver.fetch() == [0]
    driver.now_ms += driver.limits.lock_duration_ms
    assert driver.fetch() == []
    driver.now_ms += 1000
    assert driver.fetch() == [0]


def test_an_expired_record_is_given_up_unless_somebody_has_it() -> None:
    rules = QueueRules(ttl_ms=1000)
    records = [record(0), record(1, headers={"kstream-ttl-ms": "5000"}), record(2)]
    driver = Driver(rules, records)
    assert driver.fetch() == [0]
    driver.now_ms += 1000
    driver.expire()
    assert driver.window.delivery_complete_count == 1  # 2 is; 0 is out, and 1 has more time
    driver.settle(0, kind=RELEASE)
    assert driver.drain() == [1]
    assert driver.window.start_offset == 3


def test_an_expired_record_can_be_a_dead_letter() -> None:
    rules = QueueRules(ttl_ms=1000, has_dead_letters_on_expiry=True)
    driver = Driver(rules, [record(0)], limits=ShareLimits(has_dead_letters=True))
    driver.look_ahead()
    driver.now_ms += 1000
    change = driver.queue.expire(driver.limits, driver.now_ms)
    (dead,) = change.dead_letters
    assert (dead.first_offset, dead.last_offset, str(dead.cause)) == (0, 0, "Record expired.")
    assert driver.window.batches[0].runs[0].state is RecordState.ARCHIVING


def test_priorities_come_first_and_age() -> None:
    priorities = [None, "0", "9", "5", "9"]
    records = [
        record(offset, headers={} if priority is None else {"kstream-priority": priority})
        for offset, priority in enumerate(priorities)
    ]
    assert Driver(QueueRules(aging_ms=0), records).drain() == [2, 4, 3, 0, 1]
    driver = Driver(QueueRules(aging_ms=1000), [*records, record(5), record(6)])
    driver.look_ahead()
    driver.append(record(7, timestamp_ms=NOW_MS + 9500, headers={"kstream-priority": "8"}))
    driver.now_ms += 9500
    assert driver.drain() == [0, 1, 2, 3, 4, 5, 6, 7]


def test_of_each_key_one_record_is_out_and_none_overtakes() -> None:
    keys = ["a", "a", "b", None, "a", "b"]
    records = [record(offset, key=key) for offset, key in enumerate(keys)]
    driver = Driver(QueueRules(is_ordered_by_key=True), records)
    assert driver.fetch("x", 10) == [0, 2, 3]
    assert driver.fetch("y", 10) == []
    driver.settle(0, kind=RELEASE, member_id="x")
    assert driver.fetch("y", 10) == [0]
    driver.settle(0, member_id="y")
    driver.settle(2, kind=REJECT, member_id="x")
    assert driver.fetch("y", 10) == [1, 5]
    driver.restart()
    assert driver.drain(count=10) == [1, 3, 5, 4]


def test_a_delayed_record_holds_back_those_of_its_key_behind_it() -> None:
    records = [record(0, key="a", headers={"kstream-delay-ms": "10"}), record(1, key="a"), record(2, key="b")]
    driver = Driver(QueueRules(is_ordered_by_key=True), records)
    assert driver.drain() == [2]
    driver.now_ms += 10
    assert driver.drain() == [0, 1]


def test_duplicates_within_the_window_are_given_up_also_after_a_restart() -> None:
    rules = QueueRules(deduplication_window_ms=1000, identity_header="id")
    times = [0, 500, 1001, 1500]
    records = [
        record(offset, timestamp_ms=NOW_MS + time_ms, headers={"id": "x"})
        for offset, time_ms in enumerate(times)
    ]
    driver = Driver(rules, records[:1])
    assert driver.drain() == [0]
    driver.restart()
    driver.append(*records[1:], record(4, timestamp_ms=NOW_MS + 1500))
    assert driver.drain() == [2, 4]


def test_records_are_known_by_key_and_value_where_no_header_says() -> None:
    records = [record(0, "a", key="k"), record(1, "a", key="k"), record(2, "a"), record(3, "ka")]
    assert Driver(QueueRules(deduplication_window_ms=1000), records).drain() == [0, 2, 3]


def test_what_comes_back_from_the_dead_letters_is_no_duplicate_and_for_its_group_alone() -> None:
    ours, theirs = {"kstream-redriven": "workers"}, {"kstream-redriven": "others"}
    records = [
        record(0, "a"),
        record(1, "a"),
        record(2, "a", headers=ours),
        record(3, "a", headers=theirs),
        record(4, "b", headers=ours),
        record(5, "b"),
    ]
    driver = Driver(QueueRules(deduplication_window_ms=1000), records)
    assert driver.drain() == [0, 2, 4, 5]
    assert driver.window.start_offset == 6


def test_a_filter_lets_through_what_is_for_the_group() -> None:
    rules = QueueRules(filter=lambda each: each.key == b"b")
    driver = Driver(rules, [record(offset, key="ab"[offset % 2]) for offset in range(7)])
    assert driver.drain() == [1, 3, 5]
    assert driver.window.start_offset == 7


def test_one_member_has_the_partition_until_it_goes() -> None:
    driver = Driver(QueueRules(has_one_owner=True), plain(4))
    assert driver.fetch("x") == [0]
    assert driver.fetch("y") == []
    driver.settle(0, member_id="x")
    assert driver.fetch("y") == []
    assert driver.fetch("x") == [1]
    driver.leave("x")
    assert driver.fetch("y", 10) == [1, 2, 3]


def test_a_stuck_record_does_not_hold_back_thousands_behind_it() -> None:
    driver = Driver(records=plain(10_000), limits=ShareLimits(record_locks_max=100), batch_size=500)
    assert driver.fetch("stuck") == [0]
    assert len(driver.drain(count=500)) == 9_999
    assert driver.window.start_offset == 0
    assert len(driver.stored) == 1


def test_what_could_not_be_stored_is_as_before() -> None:
    driver = Driver(QueueRules(is_ordered_by_key=True), plain(2, key="a"))
    assert driver.fetch() == [0]
    driver.settle(0, is_stored=False)
    assert driver.fetch() == []
    driver.now_ms += driver.limits.lock_duration_ms
    assert driver.drain() == [0, 1]


def test_the_log_may_lose_its_beginning() -> None:
    driver = Driver(QueueRules(is_ordered_by_key=True), plain(6, key="a"))
    assert driver.fetch() == [0]
    driver.window.begin_at(2)
    driver.queue.begin_at(2)
    assert driver.drain() == [2, 3, 4, 5]


def test_it_looks_no_further_than_it_must() -> None:
    driver = Driver(QueueRules(lookahead=10), plain(1_000), batch_size=5)
    driver.look_ahead()
    assert driver.queue.looked_to == 10
    assert driver.drain(count=7) == list(range(1_000))


def test_offsets_that_compaction_took_away_are_passed_over() -> None:
    driver = Driver(records=[record(3), record(7), record(8), record(20)], batch_size=2)
    assert driver.drain() == [3, 7, 8, 20]
    assert driver.window.start_offset == 21
