"""Many orders of events, and crashes between any two: what must hold, holds."""

from __future__ import annotations

import os

import pytest

from tests.transactions.world import World

STEPS = 1500
SEEDS = int(os.environ.get("KSTREAM_TEST_TRANSACTION_SEEDS", "30"))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_transactions_are_whole_or_not_at_all(seed: int) -> None:
    world = World(seed)
    world.run(STEPS)
    world.check()
    assert {attempt.outcome for attempt in world.attempts} == {True, False, None}
