"""The window's batches and runs, cut and joined at random, beside a model that keeps every record by
itself.
"""

from __future__ import annotations

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kstream.shares.acquiring import LogBatch
from kstream.shares.limits import AcknowledgeType, AcquireMode, ShareLimits
from tests.shares.window_driver import WindowDriver

KINDS = tuple(AcknowledgeType)


def _log(chance: random.Random, count: int) -> list[LogBatch]:
    """Batches of the log, with gaps as compaction leaves them."""
    batches, at = [], chance.randrange(3)
    for _ in range(count):
        at += chance.choice((0, 0, 0, 1, 4))
        last = at + chance.choice((0, 1, 4, 11))
        batches.append((at, last))
        at = last + 1
    return batches


def _step(chance: random.Random, driver: WindowDriver) -> None:
    members = ("one", "two", "three")
    end = driver.window.end_offset + 2
    action = chance.random()
    if action < 0.35:
        driver.fetch(
            chance.choice(members),
            records_max=chance.choice((1, 3, 10, 500)),
            batch_size=chance.choice((1, 3, 500)),
            mode=chance.choice(tuple(AcquireMode)),
            batches_max=chance.choice((1, 2, 1000)),
        )
    elif action < 0.75:
        held = [number for number, record in driver.records.items() if record.member_id]
        first = chance.choice(held) if held and chance.random() < 0.8 else chance.randrange(-1, end)
        last = first + chance.choice((0, 0, 1, 3, 10))
        types = [chance.choice(KINDS)]
        if chance.random() < 0.5:
            types = [chance.choice(KINDS) for _ in range(last - first + 1)]
        member_id = driver.records[first].member_id if first in driver.records else "one"
        driver.acknowledge(member_id or "two", first, last, *types, is_stored=chance.random() < 0.9)
    elif action < 0.82:
        driver.release(chance.choice(members))
    elif action < 0.94:
        driver.wait(chance.choice((10, 300, 1000)))
    elif action < 0.97:
        driver.restart()
    else:
        driver.begin_at(driver.window.start_offset + chance.randrange(6))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.integers(2, 6), st.sampled_from((8, 30, 500)), st.booleans())
def test_every_record_is_what_the_model_says(
    seed: int, delivery_count_max: int, locks_max: int, can_renew: bool
) -> None:
    chance = random.Random(seed)
    limits = ShareLimits(
        delivery_count_max=delivery_count_max,
        record_locks_max=locks_max,
        lock_duration_ms=1000,
        can_renew=can_renew,
    )
    driver = WindowDriver(_log(chance, 12), limits=limits)
    for _ in range(60):
        _step(chance, driver)
