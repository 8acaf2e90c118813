"""`kill -9` in the middle of transactions: every input is in the output exactly once."""

from __future__ import annotations

import random

import pytest

from compat.kstream_server import KstreamServer
from tests.crash.test_kill_while_producing import _seed
from tests.crash.transforming import Transforming

PARTITIONS = 2
COMMITS_A_ROUND_MAX = 12


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_every_input_is_transformed_once(kills: int) -> None:
    seed = _seed()
    print(f"KSTREAM_TEST_SEED={seed}")
    moments = random.Random(seed)
    with KstreamServer({"group.initial.rebalance.delay.ms": "0"}) as server:
        count = 200 * (kills + 1)
        transforming = Transforming(server.bootstrap, partitions=PARTITIONS, count=count)
        with transforming.running():
            for _ in range(kills):
                wanted = transforming.commits + moments.randint(1, COMMITS_A_ROUND_MAX)
                transforming.wait_for_commits(wanted)
                server.kill()
                server.start()
            transforming.wait(transforming.is_done)
        assert sorted(transforming.results()) == list(range(count))
