"""What a broker counts: times, errors, traffic."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kstream.broker.stats import BOUNDS_S, FULL, BrokerStats, Timings, Traffic


@given(st.lists(st.floats(0, 60), max_size=50), st.integers(0, 3))
def test_times_are_counted_once_each_however_often_one_looks(times_s: list[float], rounds: int) -> None:
    timings = Timings()
    everything = [0.001] * (FULL * rounds) + times_s
    for number, elapsed_s in enumerate(everything):
        timings.record(elapsed_s)
        if not number % 500:
            timings.histogram()
    assert timings.count == len(everything)
    assert abs(timings.total_s - sum(everything)) < 1e-6
    expected = [sum(each <= bound_s for each in everything) for bound_s in BOUNDS_S]
    assert timings.histogram() == [*expected, len(everything)]


def test_the_recent_times_are_the_last_1024() -> None:
    timings = Timings()
    assert timings.recent_s() == []
    for number in range(FULL + 10):
        timings.record(float(number))
    assert sorted(timings.recent_s()) == [float(number) for number in range(10, FULL + 10)]


def test_traffic_adds_up() -> None:
    total, part = Traffic(), Traffic()
    part.bytes_in, part.messages_in, part.failed_reads = 10, 2, 1
    total.add(part)
    total.add(part)
    assert (total.bytes_in, total.messages_in, total.failed_reads, total.reads) == (20, 4, 2, 0)


def test_an_answer_with_many_errors_is_one_failed_request() -> None:
    stats = BrokerStats().of(1, 12)
    stats.count_errors([3, 3, 6])
    assert stats.failed == 1
    assert stats.errors == {3: 2, 6: 1}


@given(st.lists(st.floats(0, 60), min_size=1, max_size=400))
def test_no_bucket_falls_and_few_are_too_many(times_s: list[float]) -> None:
    timings = Timings()
    before = timings.histogram()
    for number, elapsed_s in enumerate(times_s, 1):
        timings.append_s(elapsed_s)
        if not number % 97:
            timings.fold()
        after = timings.histogram()
        assert all(now >= was for now, was in zip(after, before, strict=True))
        assert timings.count == number
        assert number <= after[-1] <= number + 7
        before = after


def test_what_nobody_had_occasion_to_count_is_counted_later() -> None:
    stats = BrokerStats()
    timings = stats.of(0, 12)
    for _ in range(5000):
        timings.append_s(0.001)
    stats.fold_full()
    assert len(timings.newest_s) < 8
    assert timings.count == 5000
    assert len(timings.recent_s()) == FULL
