"""Forty consumers in trouble: what `compat.forty` must find in their histories, and a short run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from compat.forty.check import Event, check, load
from compat.forty.complaints import complaints
from compat.forty.fleet import script
from compat.forty.run import run

pytestmark = pytest.mark.clients

A = (
    ["assigned", 1.0, [0]],
    ["read", 2.0, 0, 0, 9],
    ["committing", 2.1, {"0": 10}],
    ["committed", 2.2],
    ["read", 3.0, 0, 10, 14],
)
"""It dies with five records read and not committed."""

B = (
    ["assigned", 4.0, [0]],
    ["read", 4.1, 0, 10, 19],
    ["committing", 4.2, {"0": 20}],
    ["committed", 4.3],
    ["revoked", 4.4, [0]],
    ["left", 4.5],
)


def problems(*consumers: Iterable[Event], end: int = 20) -> list[str]:
    named = {f"consumer-{number}": list(events) for number, events in enumerate(consumers)}
    return check(named, {0: end}).problems


def changed(events: Iterable[Event], at: int, *event: Any) -> list[Event]:
    """The same history with another event in one place."""
    return [list(event) if number == at else each for number, each in enumerate(events)]


def test_what_at_least_once_allows_is_no_problem() -> None:
    found = check({"a": A, "b": B}, {0: 20})
    assert found.problems == []
    assert (found.read, found.read_again, found.commits, len(found.stretches)) == (25, 5, 2, 2)


def test_a_commit_that_was_not_answered_may_count_or_not() -> None:
    unanswered = [*A, ["committing", 3.1, {"0": 15}]]
    assert problems(unanswered, B) == []
    assert problems(unanswered, changed(B, 1, "read", 4.1, 0, 15, 19)) == []


def test_the_same_consumer_may_go_on_from_memory() -> None:
    again = [["revoked", 3.1, [0]], ["assigned", 4.0, [0]], ["read", 4.1, 0, 15, 19]]
    assert problems([*A, *again]) == []


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (A, changed(B, 1, "read", 4.1, 0, 12, 19), "which nobody committed"),
        (A, changed(B, 1, "read", 4.1, 0, 0, 19), "though more was committed"),
        (A, changed(B, 1, "read", 4.1, 1, 10, 19), "without having it"),
        (A, changed(B, 1, "read", 4.1, 0, 10, 18), "19 to 19 was never read"),
        (changed(A, 1, "read", 2.0, 0, 1, 9), B, "0 to 0 was never read"),
        (changed(A, 4, "read", 3.0, 0, 11, 14), B, "11 comes after 9"),
        (
            [*A, ["committing", 5.0, {"0": 15}], ["committed", 5.1]],
            B,
            "commits 15, though more was committed",
        ),
        ([*A, ["committing", 5.0, {"0": 20}], ["committed", 5.1]], B, "acknowledged before and after"),
        ([*A, ["failed", 3.5, "OffsetOutOfRange"]], B, "failed: OffsetOutOfRange"),
    ],
)
def test_it_finds(first: list[Event], second: list[Event], said: str) -> None:
    found = problems(first, second)
    assert any(said in problem for problem in found), found


def test_a_line_that_a_crash_cut_off_is_none(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text('["assigned", 1.0, [0]]\n["read", 2.0, 0')
    assert load(path) == [["assigned", 1.0, [0]]]


def test_it_hears_what_a_client_complains_of(tmp_path: Path) -> None:
    expected = (
        "%3|17.5|FAIL|rdkafka#consumer-1| Connection refused",
        "ERROR aiokafka Unable connect to node with id 1: Connect call failed",
        "[main] WARN org.apache.kafka.clients.NetworkClient - Connection to node 1 could not be established.",
        "  File a.py, line 1",
    )
    worse = "[main] ERROR org.apache.kafka.clients.Consumer - Fetch position is out of range"
    (tmp_path / "one.log").write_text("\n".join((*expected, worse)))
    assert list(complaints(tmp_path)) == [f"one says: {worse}"]


def test_a_seed_says_all_that_happens() -> None:
    assert script(1, 40, 60, 2) == script(1, 40, 60, 2) != script(2, 40, 60, 2)
    whats = [happening.what for happening in script(1, 40, 60, 2)]
    assert whats.count("kill") == 2
    assert set(whats) == {"start", "crash", "stand_still", "go_on", "leave", "kill"}


@pytest.mark.slow
def test_a_short_run(tmp_path: Path) -> None:
    told: list[str] = []
    found = run(1, 30, folder=tmp_path, server_kills=1, share=0.3, tell=told.append)
    assert found == [], told
