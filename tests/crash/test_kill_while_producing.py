"""`kill -9` in the middle of a producing client: the acknowledged is there, once, in order, at its offset."""

from __future__ import annotations

import os
import random

import pytest

from compat.kstream_server import KstreamServer
from tests.crash.ledger import Producing

PARTITIONS = 3
RECORDS_A_ROUND_MAX = 1500


def _seed() -> int:
    """A new seed each run, printed by a failure; `KSTREAM_TEST_SEED` gives one again."""
    return int(os.environ.get("KSTREAM_TEST_SEED", random.SystemRandom().randrange(1 << 32)))


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_acknowledged_records_survive_kills(kills: int) -> None:
    seed = _seed()
    print(f"KSTREAM_TEST_SEED={seed}")
    moments = random.Random(seed)
    with KstreamServer() as server:
        producing = Producing(server.bootstrap, "killed", partitions=PARTITIONS)
        for _ in range(kills):
            producing.produce_until(producing.acknowledged + moments.randint(1, RECORDS_A_ROUND_MAX))
            server.kill()
            server.start()
        producing.produce_until(producing.acknowledged + 1)
        producing.finish()

        assert producing.failures == []
        for partition, ledger in enumerate(producing.ledgers):
            assert sorted(ledger.offsets) == list(range(ledger.sent))
            got = producing.read_back(partition)
            assert [value for _, value in got] == [f"{partition}:{n}".encode() for n in range(ledger.sent)]
            assert [offset for offset, _ in got] == [ledger.offsets[n] for n in range(ledger.sent)]
            assert [offset for offset, _ in got] == list(range(ledger.sent))
