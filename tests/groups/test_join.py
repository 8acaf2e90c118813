"""JoinGroup: becoming a member, and being refused."""

from __future__ import annotations

import pytest

from kstream.errors import ErrorCode
from kstream.groups.settings import GroupSettings
from kstream.groups.states import ClassicState
from tests.groups.driver import Driver
from tests.groups.requests import GROUP, SESSION_MS, joining, leaving, settle, stable, syncing


def test_the_first_member_leads() -> None:
    driver = Driver()
    token = driver.perform(joining(protocols={"range": b"mine"}))
    assert not token.is_answered
    driver.advance(0)
    answer = token.response
    assert (answer.error_code, answer.generation_id, answer.leader) == (0, 1, answer.member_id)
    assert [(member.member_id, member.metadata) for member in answer.members] == [(answer.member_id, b"mine")]
    settle(driver, [token])
    assert driver.group(GROUP).state is ClassicState.STABLE
    driver.check_replay()


def test_from_version_4_on_a_member_is_told_its_id_first() -> None:
    driver = Driver()
    told = driver.ask(joining(version=4))
    assert told.error_code == ErrorCode.MEMBER_ID_REQUIRED
    assert told.member_id.startswith("client-")
    token = driver.perform(joining(told.member_id, version=4))
    driver.advance(0)
    assert token.response.member_id == told.member_id
    driver.check_replay()


def test_an_id_that_nobody_comes_back_with_is_forgotten() -> None:
    driver = Driver()
    told = driver.ask(joining(version=4))
    driver.advance(SESSION_MS)
    refused = driver.ask(joining(told.member_id, version=4))
    assert refused.error_code == ErrorCode.UNKNOWN_MEMBER_ID


def test_a_rebalance_waits_for_ids_that_were_given_out() -> None:
    driver = Driver()
    (first,) = stable(driver)
    told = driver.ask(joining(version=4))
    driver.perform(joining(told.member_id, version=4))
    again = driver.ask(joining(version=4))
    token = driver.perform(joining(first))
    assert not token.is_answered
    driver.advance(SESSION_MS - 1)
    assert not token.is_answered
    driver.advance(1)
    assert token.response.generation_id == 2
    assert again.member_id not in driver.group(GROUP).members


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"session_ms": 5_999}, ErrorCode.INVALID_SESSION_TIMEOUT),
        ({"session_ms": 1_800_001}, ErrorCode.INVALID_SESSION_TIMEOUT),
        ({"protocols": {}}, ErrorCode.INCONSISTENT_GROUP_PROTOCOL),
        ({"protocol_type": ""}, ErrorCode.INCONSISTENT_GROUP_PROTOCOL),
        ({"member_id": "nobody"}, ErrorCode.UNKNOWN_MEMBER_ID),
    ],
)
def test_refusals_of_a_new_group(options: dict[str, object], error: ErrorCode) -> None:
    driver = Driver()
    assert driver.ask(joining(**options)).error_code == error  # type: ignore[arg-type]
    driver.check_replay()


def test_a_member_must_share_type_and_a_protocol() -> None:
    driver = Driver()
    stable(driver, protocols={"range": b"", "sticky": b""})
    wrong = ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert driver.ask(joining(protocol_type="connect")).error_code == wrong
    assert driver.ask(joining(protocols={"other": b""})).error_code == wrong
    assert not driver.perform(joining(protocols={"other": b"", "sticky": b""})).is_answered


@pytest.mark.parametrize(
    ("first", "second", "chosen"),
    [
        (("a", "b"), ("b", "a"), "a"),
        (("range", "roundrobin"), ("roundrobin", "range"), "range"),
        (("sticky", "zz"), ("zz", "sticky"), "zz"),
    ],
)
def test_ties_between_protocols_end_as_in_kafka(
    first: tuple[str, ...], second: tuple[str, ...], chosen: str
) -> None:
    driver = Driver()
    tokens = [driver.perform(joining(protocols=dict.fromkeys(names, b""))) for names in (first, second)]
    driver.advance(0)
    assert [token.response.protocol_name for token in tokens] == [chosen, chosen]


def test_most_votes_win_among_what_all_have() -> None:
    driver = Driver()
    lists = (("x", "a", "b"), ("b", "a"), ("a", "b", "y"), ("a", "b"))
    tokens = [driver.perform(joining(protocols=dict.fromkeys(names, b""))) for names in lists]
    driver.advance(0)
    assert {token.response.protocol_name for token in tokens} == {"a"}


def test_a_full_group_takes_nobody_more() -> None:
    driver = Driver(GroupSettings(max_size=2))
    first, second = stable(driver, 2)
    refused = driver.ask(joining())
    assert (refused.error_code, refused.member_id) == (ErrorCode.GROUP_MAX_SIZE_REACHED, "")
    again = [driver.perform(joining(first)), driver.perform(joining(second))]
    assert [token.response.error_code for token in again] == [0, 0]


def test_a_group_that_became_too_large_sheds_its_last() -> None:
    driver = Driver()
    members = stable(driver, 3)
    driver.settings = GroupSettings(max_size=2)
    driver.restart()
    assert driver.group(GROUP).state is ClassicState.PREPARING_REBALANCE
    tokens = [driver.perform(joining(name)) for name in members]
    assert tokens[2].response.error_code == ErrorCode.GROUP_MAX_SIZE_REACHED
    assert [token.response.error_code for token in tokens[:2]] == [0, 0]


def test_the_initial_delay_waits_for_more_and_grows_with_each() -> None:
    driver = Driver(GroupSettings(initial_rebalance_delay_ms=3_000))
    first = driver.perform(joining())
    driver.advance(2_000)
    second = driver.perform(joining())
    driver.advance(1_000)
    assert not first.is_answered
    driver.advance(3_000)
    assert len(first.response.members) == 2
    assert second.response.generation_id == 1


def test_the_initial_delay_ends_with_the_rebalance_timeout() -> None:
    driver = Driver(GroupSettings(initial_rebalance_delay_ms=3_000))
    first = driver.perform(joining(rebalance_ms=7_000))
    for _ in range(4):
        driver.perform(joining(rebalance_ms=7_000))
        driver.advance(2_000)
    assert first.response is not None


def test_who_does_not_join_again_is_no_member_any_more() -> None:
    driver = Driver()
    first, second = stable(driver, 2, session_ms=60_000)
    third = driver.perform(joining())
    again = driver.perform(joining(first))
    driver.advance(29_999)
    assert not again.is_answered
    driver.advance(1)
    assert {member.member_id for member in again.response.members} == {first, third.response.member_id}
    assert second not in driver.group(GROUP).members
    driver.check_replay()


def test_a_follower_that_joins_unchanged_disturbs_nobody() -> None:
    driver = Driver()
    first, second = stable(driver, 2)
    answer = driver.ask(joining(second))
    assert (answer.generation_id, answer.members, answer.leader) == (1, [], first)
    assert driver.group(GROUP).state is ClassicState.STABLE


def test_a_leader_that_joins_again_assigns_anew() -> None:
    driver = Driver()
    first, second = stable(driver, 2)
    token = driver.perform(joining(first))
    assert not token.is_answered
    assert driver.perform(joining(second)).response.generation_id == 2
    assert token.response.generation_id == 2


def test_a_member_that_lost_its_answer_asks_again() -> None:
    driver = Driver()
    token = driver.perform(joining())
    driver.advance(0)
    again = driver.ask(joining(token.response.member_id))
    assert again.generation_id == 1
    assert [member.member_id for member in again.members] == [token.response.member_id]


def test_of_two_joins_of_one_member_the_newer_counts() -> None:
    driver = Driver()
    first, second = stable(driver, 2)
    older = driver.perform(joining(first))
    newer = driver.perform(joining(first))
    assert older.response.error_code == ErrorCode.REBALANCE_IN_PROGRESS
    driver.perform(joining(second))
    assert newer.response.generation_id == 2


def test_a_new_member_that_waits_too_long_is_sent_away() -> None:
    driver = Driver()
    stable(driver, session_ms=1_800_000, rebalance_ms=3_600_000)
    token = driver.perform(joining())
    driver.advance(5 * 60 * 1000)
    assert token.response.error_code == ErrorCode.UNKNOWN_MEMBER_ID


def test_the_next_in_line_leads_when_the_leader_leaves() -> None:
    driver = Driver()
    first, second, third = stable(driver, 3)
    driver.ask(leaving((first, None)))
    tokens = [driver.perform(joining(name)) for name in (second, third)]
    assert tokens[0].response.leader == second
    answer = driver.ask(syncing(third, 1))
    assert answer.error_code == ErrorCode.ILLEGAL_GENERATION
