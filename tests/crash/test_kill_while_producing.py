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


SETTINGS: dict[str, tuple[dict[str, str], int]] = {
    "defaults": ({}, 0),
    "small segments": ({"log.segment.bytes": "1048576", "log.index.interval.bytes": "512"}, 1000),
    "durable": ({"log.flush.interval.messages": "1"}, 0),
}
"""What the server is told, and how many bytes are added to each record."""


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("kills", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_acknowledged_records_survive_kills(kills: int, name: str) -> None:
    seed = _seed()
    print(f"KSTREAM_TEST_SEED={seed}")
    moments = random.Random(seed)
    settings, padding = SETTINGS[name]
    with KstreamServer(settings) as server:
        producing = Producing(server.bootstrap, "killed", partitions=PARTITIONS, padding=padding)
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
            assert [value for _, value in got] == [producing.value(partition, n) for n in range(ledger.sent)]
            assert [offset for offset, _ in got] == [ledger.offsets[n] for n in range(ledger.sent)]
            assert [offset for offset, _ in got] == list(range(ledger.sent))
        assert "Traceback" not in server.log_path.read_text(), server.log_tail()
