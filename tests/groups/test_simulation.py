"""Any order of joins, leaves, crashes, pauses, late requests and restarts keeps a group right.

A failing seed is in the test's name; `KSTREAM_TEST_SEED` chooses where the slow run begins.
"""

from __future__ import annotations

import os

import pytest

from tests.groups.simulated import World


def simulate(seed: int, steps: int) -> World:
    """Chaos, then peace; then one more dies, and the others take over."""
    world = World(seed, initial_delay_ms=(0, 0, 500)[seed % 3])
    for _ in range(steps):
        world.step()
    world.driver.check_replay()
    world.settle()
    world.driver.check_replay()
    world.clients[0].is_alive = False
    world.settle()
    return world


@pytest.mark.parametrize("seed", range(12))
def test_groups_stay_right(seed: int) -> None:
    world = simulate(seed, 2500)
    assert world.generation_max > 5
    assert world.commits_accepted > 5
    assert world.commits_refused > 5


@pytest.mark.slow
def test_groups_stay_right_for_long() -> None:
    first = int(os.environ.get("KSTREAM_TEST_SEED", "1000"))
    for seed in range(first, first + 400):
        try:
            simulate(seed, 5000)
        except AssertionError as failure:
            raise AssertionError(f"KSTREAM_TEST_SEED={seed}") from failure
