"""The simulation of `tests/shares/simulated.py`, by seed."""

from __future__ import annotations

import os

import pytest

from tests.shares.simulated import Simulation

SEEDS = range(120)
STEPS = 120


def _run(seed: int) -> None:
    simulation = Simulation(seed)
    for _ in range(STEPS):
        simulation.step()
    simulation.finish()


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_dies_when_no_record_is_lost_or_done_twice(seed: int) -> None:
    _run(seed)


@pytest.mark.slow
def test_the_same_for_thousands_of_seeds() -> None:
    first = int(os.environ.get("KSTREAM_TEST_SEED", "1000"))
    for seed in range(first, first + 2000):
        _run(seed)
