"""Conditions on records."""

from __future__ import annotations

import pytest

from kstream.replay.errors import ReplayError
from kstream.replay.event import Event
from kstream.replay.where import all_of, parse_condition

EVENT = Event(
    3, 7, 1000, b"alice", b"an error\n\xff", (("type", b"order"), ("type", None), ("type", b"late"))
)
BARE = Event(None, None, -1, None, None)


@pytest.mark.parametrize(
    ("text", "of_event", "of_bare"),
    [
        ("key=alice", True, False),
        ("key=ali", False, False),
        ("key!=alice", False, True),
        ("key~^al", True, False),
        ("key!~^al", False, True),
        ("value~error|warning", True, False),
        ("value=", False, False),
        ("partition=3", True, False),
        ("header.type=late", True, False),
        ("header.type!=late", False, True),
        ("header.other=x", False, False),
        ("header.type~^ord=?", True, False),
    ],
)
def test_conditions(text: str, of_event: bool, of_bare: bool) -> None:
    condition = parse_condition(text)
    assert (condition(EVENT), condition(BARE)) == (of_event, of_bare)


@pytest.mark.parametrize("text", ["", "key", "keys=a", "offset>3", "header=x", "header.=x"])
def test_what_is_no_condition_is_said(text: str) -> None:
    with pytest.raises(ReplayError, match="is no condition: write key=TEXT"):
        parse_condition(text)


def test_a_bad_expression_is_said() -> None:
    with pytest.raises(ReplayError, match=r"value~\(|\( is no regular expression"):
        parse_condition("value~(")


def test_several_must_all_hold() -> None:
    both = all_of(["key=alice", "partition=3"])
    assert both is not None
    assert both(EVENT)
    assert not both(EVENT._replace(partition=4))
    assert all_of([]) is None
