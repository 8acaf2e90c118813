"""Offsets and groups that go away by themselves (KIP-211)."""

from __future__ import annotations

from kstream.groups.settings import GroupSettings
from tests.groups.driver import Driver
from tests.groups.requests import GROUP, beating, committing, joining, leaving, stable
from tests.groups.test_offsets import positions, subscription

CHECK_MS = 60_000
RETENTION_MS = 10 * CHECK_MS
SETTINGS = GroupSettings(offsets_retention_ms=RETENTION_MS, offsets_retention_check_interval_ms=CHECK_MS)


def live(driver: Driver, member: str, generation: int, ms: int) -> None:
    """Let time pass for a member that goes on sending heartbeats."""
    for _ in range(ms // 5_000):
        driver.advance(5_000)
        assert driver.ask(beating(member, generation)).error_code == 0


def test_a_live_group_keeps_what_it_uses() -> None:
    driver = Driver(SETTINGS)
    (member,) = stable(driver, protocols={"range": subscription("used")})
    for topic in ("used", "left"):
        driver.ask(committing({0: 1}, member_id=member, generation=1, topic=topic))
    live(driver, member, 1, RETENTION_MS + CHECK_MS)
    assert positions(driver) == {("used", 0): 1}
    driver.check_replay()


def test_a_live_group_that_cannot_be_read_keeps_everything() -> None:
    driver = Driver(SETTINGS)
    (member,) = stable(driver, protocols={"range": b"?"})
    driver.ask(committing({0: 1}, member_id=member, generation=1))
    live(driver, member, 1, 2 * RETENTION_MS)
    assert positions(driver) == {("topic", 0): 1}


def test_the_clock_runs_from_the_moment_the_group_is_empty() -> None:
    driver = Driver(SETTINGS)
    (member,) = stable(driver, protocols={"range": subscription("topic")})
    driver.ask(committing({0: 1}, member_id=member, generation=1))
    live(driver, member, 1, 2 * RETENTION_MS)
    driver.ask(leaving((member, None)))
    driver.restart()
    driver.advance(RETENTION_MS - CHECK_MS)
    assert positions(driver) == {("topic", 0): 1}
    driver.advance(2 * CHECK_MS)
    assert positions(driver) == {}
    assert GROUP not in driver.shard.state.groups
    driver.check_replay()


def test_offsets_without_a_group_live_from_their_commit() -> None:
    driver = Driver(SETTINGS)
    driver.ask(committing({0: 1}))
    driver.advance(RETENTION_MS // 2)
    driver.ask(committing({1: 1}))
    driver.advance(RETENTION_MS // 2 + CHECK_MS)
    assert positions(driver) == {("topic", 1): 1}
    driver.advance(RETENTION_MS)
    assert driver.shard.state.groups == {}


def test_a_commit_can_say_how_long_it_is_kept() -> None:
    driver = Driver(SETTINGS)
    driver.ask(committing({0: 1}, retention_ms=1_000, version=4))
    driver.ask(committing({1: 1}))
    driver.restart()
    driver.advance(CHECK_MS)
    assert positions(driver) == {("topic", 1): 1}


def test_a_group_that_somebody_is_about_to_join_stays() -> None:
    driver = Driver(SETTINGS)
    told = driver.ask(joining(version=4, session_ms=2 * CHECK_MS))
    driver.advance(CHECK_MS + 1)
    token = driver.perform(joining(told.member_id, version=4))
    driver.advance(0)
    assert token.response.generation_id == 1


def test_an_empty_group_without_offsets_goes_at_the_next_look() -> None:
    driver = Driver(SETTINGS)
    (member,) = stable(driver)
    driver.ask(leaving((member, None)))
    driver.advance(CHECK_MS)
    assert driver.shard.state.groups == {}
    driver.check_replay()
