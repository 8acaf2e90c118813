"""Patterns of clients: they match what Python's engine matches, and nothing makes them slow."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.coordinator.patterns import compile_pattern
from kstream.errors import ApiError, ErrorCode

_PIECES = (
    "a",
    "b",
    ".",
    "[ab]",
    "[^a]",
    "(a|b)",
    "(?:ab|)",
    "a*",
    "b+",
    "(ab)?",
    "a{2}",
    "b{1,2}",
    "(a|ab)*",
    r"\w",
    "|",
)


@given(st.lists(st.sampled_from(_PIECES), max_size=6).map("".join), st.text("abc", max_size=8))
def test_matches_as_a_backtracking_engine_does(pattern: str, text: str) -> None:
    assert compile_pattern(pattern)(text) == (re.fullmatch(pattern, text) is not None)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"\d+-[[:alpha:]_]*", "12-a_B", True),
        (r"[\d\-x]+", "1-x", True),
        (r"[^\W]+", "a_1", True),
        (r"\Qa.b*\E+", "a.b**", True),
        (r"^a$", "a", True),
        (r"a^b", "ab", False),
        (r"\x41\x{1F600}", "A\U0001f600", True),
        (r"a.c", "a\nc", False),
        (r"x{,2}", "x{,2}", True),
        ("[]a]+", "]a", True),
        (r"(?P<name>a)+?", "aa", True),
        ("[[:^digit:]]", "1", False),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_syntax(pattern: str, text: str, expected: bool) -> None:
    assert compile_pattern(pattern)(text) is expected


@pytest.mark.parametrize(
    "pattern",
    ["[av", "(a", "a)", "*", "a**", r"\1", "(?=a)", "(?i)a", "a{1001}", "[b-a]", "[[:none:]]", "a\\", r"\b"],
)
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(ApiError) as refused:
        compile_pattern(pattern)
    assert refused.value.code is ErrorCode.INVALID_REGULAR_EXPRESSION


@pytest.mark.parametrize(
    "pattern", ["((a{100}){100}){100}", "((((){1000}){1000}){1000}){1000}", "(" * 200 + ")" * 200]
)
def test_what_is_too_large(pattern: str) -> None:
    with pytest.raises(ApiError) as refused:
        compile_pattern(pattern)
    assert refused.value.code is ErrorCode.INVALID_REGULAR_EXPRESSION


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(a*)*b", "a*a*a*a*a*b"])
def test_what_stops_a_backtracking_engine(pattern: str) -> None:
    assert not compile_pattern(pattern)("a" * 2000 + "c")
