"""Any order of joins, leaves, crashes, pauses, changing topics, late requests, restarts and migrations keeps
a group right.

A failing seed is in the test's name; `KSTREAM_TEST_SEED` chooses where the slow run begins.
"""

from __future__ import annotations

import os

import pytest

from tests.groups.consumer.simulated import World


def simulate(seed: int, steps: int, classic_share: float) -> World:
    """Chaos, then peace; then one more dies, and the others take over."""
    world = World(seed, classic_share=classic_share)
    for _ in range(steps):
        world.step()
    world.driver.check_replay()
    world.settle()
    world.driver.check_replay()
    next(client for client in world.clients if client.is_alive).is_alive = False
    world.settle()
    return world


@pytest.mark.parametrize("seed", range(6))
def test_groups_of_kip_848_stay_right(seed: int) -> None:
    world = simulate(seed, 2500, 0.0)
    assert world.epoch_max > 10
    assert world.commits_accepted > 5
    assert world.commits_refused > 5
    assert world.kinds_seen == {"consumer"}


@pytest.mark.parametrize("seed", range(100, 106))
def test_groups_of_both_kinds_of_members_stay_right(seed: int) -> None:
    world = simulate(seed, 2500, 0.5)
    assert "mixed" in world.kinds_seen
    assert world.commits_accepted > 5


@pytest.mark.slow
def test_groups_stay_right_for_long() -> None:
    first = int(os.environ.get("KSTREAM_TEST_SEED", "1000"))
    for seed in range(first, first + 300):
        try:
            simulate(seed, 4000, (0.0, 0.3, 0.5, 0.8)[seed % 4])
        except AssertionError as failure:
            raise AssertionError(f"KSTREAM_TEST_SEED={seed}") from failure
