"""The random tests of the log at length: the model, and power cuts, seed after seed, until the time is over.

`KSTREAM_TEST_SECONDS` says how long each of them runs (30), `KSTREAM_TEST_SEED` which seed is the first. A
seed that fails is printed, and its failing case is shrunk by Hypothesis.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.log.test_model import LogAndModel
from tests.log.test_power_cuts import LIVES, POLICIES, SEEDS, Plan, cut_again_and_again

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


@pytest.mark.parametrize("policy", POLICIES)
def test_power_cuts(policy: str) -> None:
    def cut(lives: list[Plan], chance: int) -> None:
        cut_again_and_again(policy, lives, chance)

    for number in seeds():
        seed(number)(SETTINGS(given(lives=LIVES, chance=SEEDS)(cut)))()
