"""Subscriptions by regular expression: what matches, when it is looked for, and what is none."""

from __future__ import annotations

from kstream.errors import ErrorCode
from tests.groups.consumer.bench import Bench
from tests.groups.consumer.test_heartbeat import partitions, refused

BATCH_MS = 10_001
"""Expressions are not resolved again within ten seconds."""


def test_topics_that_match_are_assigned_by_a_later_heartbeat() -> None:
    bench = Bench(apple=1, apricot=1, banana=1)
    member = bench.join("a", regex="ap.*")
    assert (member.epoch, member.owned) == (1, set())
    bench.driver.advance(0)
    member.stay()
    assert member.epoch == 2
    assert member.owned == partitions("apple", 0) | partitions("apricot", 0)
    assert bench.group.regexes["ap.*"].topics == {"apple", "apricot"}


def test_the_whole_name_has_to_match() -> None:
    bench = Bench(apple=1, pineapple=1)
    member = bench.join("a", regex="apple|b.*")
    bench.settle()
    assert member.owned == partitions("apple", 0)


def test_topics_created_later() -> None:
    bench = Bench(t1=1)
    member = bench.join("a", regex="t[0-9]")
    bench.settle()
    bench.cluster.create("t2", 1)
    bench.driver.advance(BATCH_MS)
    bench.settle()
    assert member.owned == partitions("t1", 0) | partitions("t2", 0)
    bench.cluster.delete("t1")
    bench.topics_changed("t1")
    bench.settle()
    assert member.owned == partitions("t2", 0)


def test_names_and_an_expression() -> None:
    bench = Bench(t1=1, other=1)
    member = bench.join("a", "other", regex="t.*")
    bench.settle()
    assert member.owned == partitions("t1", 0) | partitions("other", 0)


def test_a_bad_expression_changes_nothing() -> None:
    bench = Bench(t1=1)
    with refused(ErrorCode.INVALID_REGULAR_EXPRESSION):
        bench.join("a", regex="(")
    assert bench.driver.log == []
    member = bench.join("b", regex="t.*")
    bench.settle()
    with refused(ErrorCode.INVALID_REGULAR_EXPRESSION):
        member.send(member.epoch, subscribed_topic_regex="[")
    assert bench.group.members["b"].topic_regex == "t.*"


def test_a_second_member_with_the_same_expression_finds_it_resolved() -> None:
    bench = Bench(t=4)
    bench.join("a", regex="t")
    bench.settle()
    second = bench.join("b", regex="t")
    bench.settle()
    assert len(second.owned) == 2
    bench.members["a"].leave()
    assert "t" in bench.group.regexes
    second.leave()
    assert bench.group.regexes == {}
    assert not bench.group.topic_names()


def test_changing_an_expression_gives_up_what_it_no_longer_matches() -> None:
    bench = Bench(a1=1, b1=1)
    member = bench.join("a", regex="a.*")
    bench.settle()
    bench.driver.advance(BATCH_MS)
    member.beat(subscribed_topic_regex="b.*")
    assert set(bench.group.regexes) == set()
    bench.settle()
    assert member.owned == partitions("b1", 0)
    member.beat(subscribed_topic_regex="", subscribed_topic_names=["a1"])
    bench.settle()
    assert member.owned == partitions("a1", 0)


def test_expressions_are_not_resolved_again_all_the_time() -> None:
    bench = Bench(a1=1, b1=1)
    bench.join("a", regex="a.*")
    bench.settle()
    second = bench.join("b", regex="b.*")
    bench.driver.advance(0)
    assert set(bench.group.regexes) == {"a.*"}
    second.stay()
    assert second.owned == set()
    bench.driver.advance(BATCH_MS)
    bench.settle()
    assert second.owned == partitions("b1", 0)


def test_a_restart_remembers_what_matched() -> None:
    bench = Bench(t1=1)
    member = bench.join("a", regex="t.*")
    bench.settle()
    bench.driver.restart()
    assert bench.group.regexes["t.*"].topics == {"t1"}
    bench.settle()
    assert member.owned == partitions("t1", 0)
    bench.driver.check_replay()
