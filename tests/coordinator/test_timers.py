"""Deadlines in a heap."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kstream.coordinator.timers import TimerHeap


def test_due_keys_come_in_the_order_of_time() -> None:
    timers = TimerHeap()
    for key, deadline_ms in (("b", 20), ("a", 10), ("c", 30)):
        timers.set(key, deadline_ms)
    assert list(timers.pop_due(25)) == ["a", "b"]
    assert list(timers.pop_due(25)) == []
    assert timers.wakes_at_ms() == 30


def test_a_deadline_moves_both_ways() -> None:
    timers = TimerHeap()
    timers.set("a", 10)
    timers.set("a", 50)
    assert list(timers.pop_due(49)) == []
    timers.set("a", 40)
    assert list(timers.pop_due(40)) == ["a"]
    assert list(timers.pop_due(100)) == []


def test_set_says_whether_to_wake_earlier() -> None:
    timers = TimerHeap()
    assert timers.set("a", 10)
    assert not timers.set("b", 20)
    assert timers.set("b", 5)
    assert not timers.set("a", 30)


def test_what_is_set_while_others_are_due_comes_too() -> None:
    timers = TimerHeap()
    timers.set("a", 10)
    seen = []
    for key in timers.pop_due(10):
        seen.append(key)
        if len(seen) < 3:
            timers.set(f"again {len(seen)}", 10)
    assert seen == ["a", "again 1", "again 2"]


def test_all_of_an_owner_are_cancelled() -> None:
    timers = TimerHeap()
    for key in ((1, "a"), (1, "b"), (2, "a")):
        timers.set(key, 10)
    timers.cancel_all(1)
    assert len(timers) == 1
    assert list(timers.pop_due(10)) == [(2, "a")]


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 5), st.integers(0, 50)),
        st.tuples(st.just("cancel"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("pop"), st.just(0), st.integers(0, 50)),
    ),
    max_size=60,
)


@given(ACTIONS)
def test_like_a_dictionary_that_is_searched(actions: list[tuple[str, int, int]]) -> None:
    timers, model = TimerHeap(), dict[int, int]()
    for what, key, number in actions:
        if what == "set":
            timers.set(key, number)
            model[key] = number
        elif what == "cancel":
            timers.cancel(key)
            model.pop(key, None)
        else:
            due = sorted(each for each, deadline in model.items() if deadline <= number)
            assert sorted(str(each) for each in timers.pop_due(number)) == [str(each) for each in due]
            for each in due:
                del model[each]
        assert len(timers) == len(model)
        if model:
            wakes_at_ms = timers.wakes_at_ms()
            assert wakes_at_ms is not None
            assert wakes_at_ms <= min(model.values())
