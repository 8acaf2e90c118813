"""The map of compaction, against a dict."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kstream.log.offset_map import ENTRY_BYTES, OffsetMap

KEYS = st.lists(st.binary(max_size=2), max_size=60)


@given(runs=st.lists(KEYS, max_size=12), slots=st.integers(0, 40), load_factor=st.floats(0, 1.5))
def test_it_is_a_dict_until_it_is_full(runs: list[list[bytes]], slots: int, load_factor: float) -> None:
    offsets_of = OffsetMap(slots * ENTRY_BYTES, expected_count=1000, load_factor=load_factor)
    model: dict[bytes, int] = {}
    offset = 0
    for keys in runs:
        entered = 0
        for key in keys:
            if len(model) == offsets_of.count_max:
                break
            model[key] = offset + entered
            entered += 1
        assert (
            offsets_of.put(keys, np.arange(offset, offset + len(keys)), np.ones(len(keys), bool)) == entered
        )
        assert offsets_of.count == len(model)
        offset += len(keys)
        if entered < len(keys):
            break
    asked = [bytes((number,)) for number in range(256)] + list(model)
    assert offsets_of.get(asked).tolist() == [model.get(key, -1) for key in asked]


def test_a_map_as_full_as_it_may_be_still_finds_all() -> None:
    offsets_of = OffsetMap(24 * 5000, expected_count=10**9)
    keys = [b"%d" % number for number in range(10_000)]
    entered = offsets_of.put(keys, np.arange(10_000), np.ones(10_000, bool))
    assert entered == offsets_of.count == offsets_of.count_max == 4500
    assert offsets_of.get(keys).tolist() == [*range(4500), *[-1] * 5500]
