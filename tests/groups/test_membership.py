"""SyncGroup, Heartbeat, LeaveGroup, and what happens to members that fall silent."""

from __future__ import annotations

from kstream.errors import ErrorCode
from kstream.groups.states import ClassicState
from tests.groups.driver import Driver
from tests.groups.requests import (
    GROUP,
    REBALANCE_MS,
    SESSION_MS,
    beating,
    joining,
    leaving,
    settle,
    stable,
    syncing,
)

UNKNOWN = ErrorCode.UNKNOWN_MEMBER_ID


def joined(driver: Driver, count: int) -> list[str]:
    """Members of a group whose leader has not assigned yet, the leader first."""
    tokens = [driver.perform(joining()) for _ in range(count)]
    driver.advance(0)
    return [token.response.member_id for token in tokens]


def test_followers_wait_for_the_leader() -> None:
    driver = Driver()
    leader, follower = joined(driver, 2)
    waiting = driver.perform(syncing(follower, 1))
    assert not waiting.is_answered
    driver.ask(syncing(leader, 1, {follower: b"yours", "stranger": b"lost"}))
    assert waiting.response.assignment == b"yours"
    assert driver.group(GROUP).members[leader].assignment == b""
    assert any("assigned nothing" in notice for notice in driver.notices)
    driver.check_replay()


def test_sync_is_checked() -> None:
    driver = Driver()
    (leader,) = joined(driver, 1)
    assert driver.ask(syncing("nobody", 1)).error_code == UNKNOWN
    assert driver.ask(syncing(leader, 2)).error_code == ErrorCode.ILLEGAL_GENERATION
    assert driver.ask(syncing(leader, 1, group="none")).error_code == UNKNOWN


def test_who_does_not_sync_in_time_is_removed() -> None:
    driver = Driver()
    leader, follower = joined(driver, 2)
    waiting = driver.perform(syncing(follower, 1))
    for _ in range(REBALANCE_MS // 5_000):
        driver.ask(beating(leader, 1))
        driver.advance(5_000)
    assert waiting.response.error_code == ErrorCode.REBALANCE_IN_PROGRESS
    assert list(driver.group(GROUP).members) == [follower]


def test_a_follower_that_never_syncs_is_removed_too() -> None:
    driver = Driver()
    leader, follower = joined(driver, 2)
    driver.ask(syncing(leader, 1, {leader: b"1", follower: b"2"}))
    for _ in range(REBALANCE_MS // 5_000):
        driver.ask(beating(leader, 1))
        driver.ask(beating(follower, 1))
        driver.advance(5_000)
    assert list(driver.group(GROUP).members) == [leader]
    assert driver.group(GROUP).state is ClassicState.PREPARING_REBALANCE


def test_heartbeats_keep_a_member() -> None:
    driver = Driver()
    (member,) = stable(driver)
    for _ in range(10):
        driver.advance(SESSION_MS - 1)
        assert driver.ask(beating(member, 1)).error_code == 0
    driver.advance(SESSION_MS)
    assert driver.ask(beating(member, 1)).error_code == UNKNOWN
    assert driver.group(GROUP).is_empty
    driver.check_replay()


def test_heartbeats_are_checked() -> None:
    driver = Driver()
    (member,) = stable(driver)
    assert driver.ask(beating(member, 0)).error_code == ErrorCode.ILLEGAL_GENERATION
    assert driver.ask(beating("nobody", 1)).error_code == UNKNOWN
    assert driver.ask(beating(member, 1, group="none")).error_code == UNKNOWN
    assert driver.ask(beating(member, 1, instance="i")).error_code == UNKNOWN


def test_heartbeats_tell_of_a_rebalance() -> None:
    driver = Driver()
    (member,) = stable(driver)
    driver.perform(joining())
    assert driver.ask(beating(member, 1)).error_code == ErrorCode.REBALANCE_IN_PROGRESS


def test_others_take_over_from_one_that_failed() -> None:
    driver = Driver()
    first, second = stable(driver, 2)
    driver.advance(SESSION_MS - 1)
    driver.ask(beating(second, 1))
    driver.advance(1)
    token = driver.perform(joining(second))
    assert token.response.leader == second
    assert settle(driver, [token]) == [second]
    assert driver.ask(beating(first, 1)).error_code == UNKNOWN


def test_several_leave_at_once_and_each_is_answered() -> None:
    driver = Driver()
    first, second, third = stable(driver, 3)
    answers = driver.ask(leaving((first, None), ("nobody", None), (second, None))).members
    assert [answer.error_code for answer in answers] == [0, UNKNOWN, 0]
    assert list(driver.group(GROUP).members) == [third]
    assert driver.group(GROUP).state is ClassicState.PREPARING_REBALANCE


def test_a_member_that_waits_to_join_and_is_removed_is_told() -> None:
    driver = Driver()
    first, second = stable(driver, 2)
    waiting = driver.perform(joining(first))
    driver.ask(leaving((first, None)))
    assert waiting.response.error_code == UNKNOWN
    assert driver.perform(joining(second)).response.generation_id == 2


def test_the_last_to_leave_empties_the_group() -> None:
    driver = Driver()
    (member,) = stable(driver)
    driver.ask(leaving((member, None)))
    group = driver.group(GROUP)
    assert (group.state, group.generation, group.protocol_name) == (ClassicState.EMPTY, 2, None)
    assert group.protocol_type == "consumer"
    driver.check_replay()


def test_an_id_that_was_given_out_can_be_given_back() -> None:
    driver = Driver()
    told = driver.ask(joining(version=4))
    assert driver.ask(leaving((told.member_id, None))).members[0].error_code == 0
    assert not driver.group(GROUP).pending_joins


def test_leaving_a_group_that_is_not_there() -> None:
    driver = Driver()
    answer = driver.ask(leaving(("one", "i"), group="none"))
    assert answer.error_code == 0
    assert [member.error_code for member in answer.members] == [UNKNOWN]


def test_members_survive_a_restart() -> None:
    driver = Driver()
    first, second = stable(driver, 2)
    driver.advance(SESSION_MS - 1)
    driver.restart()
    driver.advance(SESSION_MS - 1)
    assert driver.ask(beating(first, 1)).error_code == 0
    assert driver.ask(syncing(second, 1)).assignment == second.encode()
    driver.advance(1)
    assert driver.ask(beating(first, 1)).error_code == ErrorCode.REBALANCE_IN_PROGRESS
    driver.advance(SESSION_MS)
    assert driver.group(GROUP).is_empty
