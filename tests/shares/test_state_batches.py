"""Stored states by ranges, beside a model that keeps every offset by itself."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kstream.shares.state_batches import StateBatch, StateBatches, combined

OFFSETS = st.integers(0, 30)


@st.composite
def batches(draw: st.DrawFn) -> StateBatch:
    first = draw(OFFSETS)
    return StateBatch(
        first, first + draw(st.integers(0, 12)), draw(st.integers(0, 4)), draw(st.integers(1, 3))
    )


def _model(given_batches: list[StateBatch], start_offset: int) -> dict[int, tuple[int, int]]:
    """State and count of every offset: of two, the higher count counts, then the higher state."""
    offsets: dict[int, tuple[int, int]] = {}
    for batch in given_batches:
        for offset in range(max(batch.first_offset, start_offset), batch.last_offset + 1):
            offsets[offset] = max(offsets.get(offset, batch.priority), batch.priority)
    return offsets


def _expanded(whole: StateBatches) -> dict[int, tuple[int, int]]:
    return {
        offset: batch.priority
        for batch in whole
        for offset in range(batch.first_offset, batch.last_offset + 1)
    }


@given(st.lists(batches(), max_size=12), st.integers(-1, 30))
def test_every_offset_has_the_state_that_came_last(given_batches: list[StateBatch], start: int) -> None:
    whole = combined(given_batches, start)

    assert _expanded(whole) == _model(given_batches, start)


@given(st.lists(batches(), max_size=12), st.integers(-1, 30))
def test_batches_are_sorted_apart_and_as_few_as_can_be(given_batches: list[StateBatch], start: int) -> None:
    whole = list(combined(given_batches, start))

    for before, after in pairwise(whole):
        assert before.first_offset <= before.last_offset < after.first_offset
        touches = before.last_offset + 1 == after.first_offset
        assert not (touches and before.priority == after.priority)


@given(st.lists(batches(), max_size=8), st.lists(batches(), max_size=8))
def test_order_does_not_matter(one: list[StateBatch], other: list[StateBatch]) -> None:
    assert StateBatches(one + other) == StateBatches(other + one)


def test_a_copy_goes_its_own_way() -> None:
    original = StateBatches([StateBatch(0, 9, 0, 1)])
    copied = original.copy()

    copied.merge(StateBatch(3, 4, 2, 1))

    assert list(original) == [StateBatch(0, 9, 0, 1)]
    assert len(copied) == 3
