"""Share workers that are killed: what `compat.share_workers` must find in histories, and a short run."""

from __future__ import annotations

import pytest

from compat.share_workers.history import Bounds, Event, Life, check
from compat.share_workers.run import run_share_workers

pytestmark = pytest.mark.clients

BOUNDS = Bounds(delivery_count_max=3, lock_ms=15_000)


def got(at_ms: int, count: int = 1) -> Event:
    return Event("got", 0, 7, count, "accept-7", at_ms)


def accepted(at_ms: int, count: int = 1) -> Event:
    return Event("accept", 0, 7, count, "accept-7", at_ms)


def life(*events: Event, began_ms: int = 0, is_killed: bool = False) -> Life:
    return Life("worker", began_ms, is_killed, list(events))


def faults(*lives: Life, bounds: Bounds = BOUNDS) -> list[str]:
    return check(lives, {(0, 7): "accept-7"}, bounds).faults


def test_what_is_settled_once_is_well_also_after_a_crash() -> None:
    assert not faults(life(got(1), accepted(2)))
    assert not faults(life(got(1), is_killed=True), life(got(5, 2), accepted(6, 2)))
    assert not faults(life(got(1), is_killed=True)), "it may have been settled with the last breath"
    assert not faults(life(got(3, 3))), "it was delivered as often as may be"
    assert not faults(life(got(1)), bounds=BOUNDS._replace(server_kills_ms=[4]))


def test_a_record_that_nobody_got_or_settled_is_a_fault() -> None:
    assert faults(life()) == ["(0, 7) accept-7: never delivered"]
    assert faults(life(got(1))) == ["(0, 7) accept-7: given up without need, or forgotten"]


def test_a_settled_record_must_not_come_again() -> None:
    first = life(got(1), accepted(2))
    assert "3 ms later" in faults(first, life(got(5, 2), began_ms=3))[0]
    assert "20000 ms later" in faults(first, life(got(20_002, 2)))[0]
    assert not faults(first, life(got(5))), "it may have been in its buffer since before"
    assert "settled 2 times" in faults(first, life(got(1), accepted(3)))[0]


def test_no_more_deliveries_than_the_limit() -> None:
    many = [life(got(1, count), is_killed=True) for count in (1, 2, 3, 3)]
    assert faults(*many) == ["(0, 7) accept-7: delivered 4 times"]
    assert not faults(*many, bounds=BOUNDS._replace(server_kills_ms=[1]))
    assert "delivered for the 4th time" in faults(life(got(1, 4), is_killed=True))[0]


def test_what_was_never_produced_is_told() -> None:
    stranger = Event("got", 1, 0, 1, "?", 1)
    assert "never produced" in faults(life(got(1), accepted(2), stranger))[0]


@pytest.mark.slow
def test_twelve_workers_that_are_killed() -> None:
    outcome = run_share_workers(workers=12, seconds=15, seed=4)
    assert not outcome.faults, outcome.line()
    assert outcome.worker_kills > 5
    assert outcome.server_kills
    assert outcome.verdict.settled > outcome.produced // 2
