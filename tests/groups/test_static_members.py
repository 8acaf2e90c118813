"""Static members (group.instance.id, KIP-345)."""

from __future__ import annotations

import pytest

from kstream.errors import ApiError, ErrorCode
from kstream.groups.states import ClassicState
from tests.groups.driver import Driver
from tests.groups.requests import GROUP, beating, committing, joining, leaving, syncing

FENCED = ErrorCode.FENCED_INSTANCE_ID


def two(driver: Driver) -> tuple[str, str]:
    """A stable group of the static members "one", who leads, and "two"."""
    tokens = [driver.perform(joining(version=9, instance=name)) for name in ("one", "two")]
    driver.advance(0)
    one, other = (token.response.member_id for token in tokens)
    driver.ask(syncing(one, 1, {one: b"1", other: b"2"}, instance="one"))
    assert driver.ask(syncing(other, 1, instance="two")).assignment == b"2"
    return one, other


def test_a_static_member_that_comes_back_needs_no_rebalance() -> None:
    driver = Driver()
    one, other = two(driver)
    answer = driver.ask(joining(version=9, instance="two"))
    assert (answer.error_code, answer.generation_id, answer.leader) == (0, 1, one)
    assert answer.member_id != other
    assert driver.group(GROUP).state is ClassicState.STABLE
    assert driver.ask(syncing(answer.member_id, 1, instance="two")).assignment == b"2"
    driver.check_replay()


def test_the_former_id_is_fenced() -> None:
    driver = Driver()
    _, other = two(driver)
    driver.ask(joining(version=9, instance="two"))
    assert driver.ask(beating(other, 1, instance="two")).error_code == FENCED
    assert driver.ask(beating(other, 1)).error_code == ErrorCode.UNKNOWN_MEMBER_ID
    assert driver.ask(syncing(other, 1, instance="two")).error_code == FENCED
    assert driver.ask(joining(other, version=9, instance="two")).error_code == FENCED
    assert driver.ask(leaving((other, "two"))).members[0].error_code == FENCED
    with pytest.raises(ApiError) as refused:
        driver.perform(committing({0: 1}, member_id=other, generation=1, instance="two"))
    assert refused.value.code is FENCED


@pytest.mark.parametrize(("version", "skips"), [(8, False), (9, True)])
def test_a_leader_that_comes_back_assigns_nothing(version: int, skips: bool) -> None:
    driver = Driver()
    one, _ = two(driver)
    answer = driver.ask(joining(version=version, instance="one"))
    assert answer.skip_assignment is skips
    assert len(answer.members) == (2 if skips else 0)
    assert answer.leader == (answer.member_id if skips else one)
    driver.check_replay()


def test_a_changed_choice_of_protocol_needs_a_rebalance() -> None:
    driver = Driver()
    tokens = [
        driver.perform(joining(version=9, instance=name, protocols={"a": b"", "b": b""}))
        for name in ("one", "two")
    ]
    driver.advance(0)
    one, other = (token.response.member_id for token in tokens)
    driver.ask(syncing(one, 1, {one: b"1", other: b"2"}, instance="one"))
    token = driver.perform(joining(version=9, instance="two", protocols={"b": b""}))
    assert not token.is_answered
    assert driver.group(GROUP).state is ClassicState.PREPARING_REBALANCE
    again = driver.perform(joining(one, version=9, instance="one", protocols={"a": b"", "b": b""}))
    assert again.response.protocol_name == "b"
    assert token.response.generation_id == 2


def test_a_member_that_waits_is_fenced_by_its_successor() -> None:
    driver = Driver()
    two(driver)
    waiting = driver.perform(joining(version=9, instance="three"))
    successor = driver.perform(joining(version=9, instance="three"))
    assert waiting.response.error_code == FENCED
    assert not successor.is_answered


def test_coming_back_while_the_leader_assigns_begins_again() -> None:
    driver = Driver()
    tokens = [driver.perform(joining(version=9, instance=name)) for name in ("one", "two")]
    driver.advance(0)
    one, other = (token.response.member_id for token in tokens)
    waiting = driver.perform(syncing(other, 1, instance="two"))
    driver.perform(joining(version=9, instance="two"))
    assert waiting.response.error_code == FENCED
    late = driver.ask(syncing(one, 1, {one: b"1", other: b"2"}, instance="one"))
    assert late.error_code == ErrorCode.REBALANCE_IN_PROGRESS


def test_a_silent_static_member_keeps_its_place_for_a_session() -> None:
    driver = Driver()
    one, other = two(driver)
    token = driver.perform(joining(version=9, instance="three"))
    again = driver.perform(joining(one, version=9, instance="one"))
    driver.advance(9_999)
    assert not again.is_answered
    driver.advance(1)
    assert other not in driver.group(GROUP).members
    assert {again.response.generation_id, token.response.generation_id} == {2}


def test_an_operator_removes_by_instance_id() -> None:
    driver = Driver()
    two(driver)
    answers = driver.ask(leaving(("", "two"), ("", "nobody"), ("", None))).members
    unknown = ErrorCode.UNKNOWN_MEMBER_ID
    assert [answer.error_code for answer in answers] == [0, unknown, unknown]
    assert set(driver.group(GROUP).static_members) == {"one"}
