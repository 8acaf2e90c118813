"""The random tests of the log at length: the model, and power cuts, seed after seed, until the time is over.

`KSTREAM_TEST_SECONDS` says how long each of them runs (30), `KSTREAM_TEST_SEED` which seed is the first. A
seed that fails is printed, and its failing case is shrunk by Hypothesis.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.log.test_model import LogAndModel
from tests.log.test_power_cuts import SEEDS, STEPS, cut_at_any_time, cut_behind_a_stop, cut_twice

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("KSTREAM_TEST_SECONDS", "30"))
FIRST_SEED = int(os.environ.get("KSTREAM_TEST_SEED", "1"))
EXAMPLES = 50
SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=100,
    derandomize=False,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def seeds() -> Iterator[int]:
    """One after the other, at least one, and said before it begins."""
    ends_s = time.monotonic() + SECONDS
    for number in itertools.count(FIRST_SEED):
        print(f"KSTREAM_TEST_SEED={number}", flush=True)
        yield number
        if time.monotonic() > ends_s:
            print(f"{number - FIRST_SEED + 1} seeds of {EXAMPLES} examples")
            return


def test_the_log_and_its_model() -> None:
    for number in seeds():
        run_state_machine_as_test(seed(number)(type(f"Seed{number}", (LogAndModel,), {})), settings=SETTINGS)


@pytest.mark.parametrize("cut", [cut_at_any_time, cut_behind_a_stop, cut_twice])
def test_power_cuts(cut: Callable[[list[str], int], None]) -> None:
    for number in seeds():
        seed(number)(SETTINGS(given(steps=STEPS, seed=SEEDS)(cut)))()
