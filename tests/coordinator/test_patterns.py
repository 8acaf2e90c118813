"""Patterns of clients: they match what Python's engine matches, and nothing makes them slow."""

from __future__ import annotations

import re
import subprocess
import sys
import time

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
    "|",
)


@given(st.lists(st.sampled_from(_PIECES), max_size=6).map("".join), st.text("abc", max_size=8))
def test_matches_as_a_backtracking_engine_does(pattern: str, text: str) -> None:
    assert compile_pattern(pattern)(text) == (re.fullmatch(pattern, text) is not None)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"\d+-[[:alpha:]_]*", "12-a_B", True),
        (r"\Qa.b*\E+", "a.b**", True),
        (r"a.c", "a\nc", False),
        (r"(?i)TOPIC-\d", "topic-1", True),
        (r"\pL+", "é", True),
        (".", "\U0001f600", True),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_syntax(pattern: str, text: str, expected: bool) -> None:
    assert compile_pattern(pattern)(text) is expected


@pytest.mark.parametrize(
    "pattern", ["[av", "(a", "a)", "*", "a**", r"\1", "(?=a)", "a{1001}", "[b-a]", "a\\"]
)
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(ApiError) as refused:
        compile_pattern(pattern)
    assert refused.value.code is ErrorCode.INVALID_REGULAR_EXPRESSION
    assert refused.value.message


@pytest.mark.parametrize(
    "pattern",
    [
        "((a{100}){100}){100}",
        "((((){1000}){1000}){1000}){1000}",
        r"\pL{20}",
        "ab?" * 9999,
    ],
    ids=range(4),
)
def test_what_is_too_large(pattern: str) -> None:
    with pytest.raises(ApiError) as refused:
        compile_pattern(pattern)
    assert refused.value.code is ErrorCode.INVALID_REGULAR_EXPRESSION


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|a)*b",
        "(a*)*b",
        "a*a*a*a*a*b",
        "(a?){300}a{300}",
        ".*a.{300}b",
        "(" * 10_000 + "a" + ")" * 10_000,
    ],
)
def test_what_stops_a_backtracking_engine(pattern: str) -> None:
    began_s = time.process_time()
    matches = compile_pattern(pattern)
    for text in ("a" * 249 + "c", "ab" * 120 + "c"):
        assert not matches(text)
    assert time.process_time() - began_s < 0.2


def test_the_library_is_loaded_by_the_first_pattern() -> None:
    code = "import sys, kstream.server, kstream.api.list_transactions; sys.exit('re2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
