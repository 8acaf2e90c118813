"""What the histories of a group's consumers must not show.

A consumer has a partition in *stretches*: from its assignment until it is revoked, assigned anew, or the
process ends. At-least-once allows a record to be read again, but only by a stretch that begins at the
committed position. So, with the times that `consumer` wrote down:

- Nobody reads from a partition that it does not have, and a stretch has no gap.
- A stretch begins at a position that somebody tried to commit, or where the group began, and not before a
  position that was committed when the partition was assigned. Or it begins where the same process ended when
  it last had the partition: kafka-python goes on from memory, even past generations that it was not in.
- Of two stretches in a partition, no commits are acknowledged in turn: only one is in its generation.
- What is acknowledged later is no lower.
- In the end all is read, and all is committed.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

BEGINNING = 0
Event = Sequence[Any]


@dataclass
class Commit:
    """One position that a stretch committed; `acked_s` is None unless it was acknowledged."""

    position: int
    sent_s: float
    acked_s: float | None = None


@dataclass
class Stretch:
    """One consumer's time with one partition; `first` to `end`, which is not in it, were read."""

    consumer: str
    partition: int
    assigned_s: float
    first: int | None = None
    first_s: float = 0.0
    end: int = 0
    commits: list[Commit] = field(default_factory=list)

    def __str__(self) -> str:
        return f"partition {self.partition}, {self.consumer} at {self.assigned_s:.3f} s"


@dataclass
class Findings:
    """What a group's histories tell. `problems` is empty if all is well."""

    problems: list[str] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    read: int = 0
    read_again: int = 0
    commits: int = 0
    refused: int = 0


def load(path: Path) -> list[Event]:
    """A history; a last line that a crash cut off is not in it."""
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    return [json.loads(line) for line in lines[:-1]]


def check(histories: Mapping[str, Sequence[Event]], ends: Mapping[int, int]) -> Findings:
    """Look at one group: its consumers' histories by name, one for each life, and its partitions' ends."""
    found = Findings()
    for consumer, events in histories.items():
        _follow(consumer, events, found)
    for partition, end in ends.items():
        mine = [each for each in found.stretches if each.partition == partition]
        found.problems += _check_beginnings(mine)
        found.problems += _check_commits(mine)
        read = sum(each.end - each.first for each in mine if each.first is not None)
        found.read += read
        found.read_again += max(0, read - end)
        found.problems += [f"partition {partition}: {gap} was never read" for gap in _gaps(mine, end)]
    return found


def _follow(consumer: str, events: Sequence[Event], found: Findings) -> None:
    """The stretches of one consumer's life."""
    has: dict[int, Stretch] = {}
    committing: list[Commit] = []
    for kind, at_s, *content in events:
        if kind == "assigned":
            for partition in content[0]:
                has[partition] = Stretch(consumer, partition, at_s)
                found.stretches.append(has[partition])
        elif kind == "revoked":
            for partition in content[0]:
                has.pop(partition, None)
        elif kind == "read":
            partition, first, last = content
            stretch = has.get(partition)
            if stretch is None:
                found.problems.append(f"{consumer} reads {first} of partition {partition} without having it")
                continue
            if stretch.first is None:
                stretch.first, stretch.first_s = first, at_s
            elif first != stretch.end:
                found.problems.append(f"{stretch}: {first} comes after {stretch.end - 1}")
            stretch.end = last + 1
        elif kind == "committing":
            committing = []
            for text, position in content[0].items():
                commit = Commit(position, at_s)
                committing.append(commit)
                if int(text) in has:
                    has[int(text)].commits.append(commit)
        elif kind == "committed":
            found.commits += 1
            for commit in committing:
                commit.acked_s = at_s
        elif kind == "refused":
            found.refused += 1
        elif kind == "failed":
            found.problems.append(f"{consumer} failed: {content[0]}")


def _check_beginnings(stretches: Sequence[Stretch]) -> Iterator[str]:
    tried_s = {BEGINNING: 0.0}  # When a position was first sent
    for commit in (commit for stretch in stretches for commit in stretch.commits):
        tried_s[commit.position] = min(commit.sent_s, tried_s.get(commit.position, commit.sent_s))
    committed = _Committed(stretches)
    ended: dict[str, int] = {}
    for stretch in stretches:
        if stretch.first is None:
            continue
        goes_on = stretch.first == ended.get(stretch.consumer)
        ended[stretch.consumer] = stretch.end
        if not goes_on and tried_s.get(stretch.first, stretch.first_s) >= stretch.first_s:
            yield f"{stretch} begins at {stretch.first}, which nobody committed"
        if not goes_on and stretch.first < committed.before(stretch.assigned_s):
            yield f"{stretch} begins at {stretch.first}, though more was committed"


def _check_commits(stretches: Sequence[Stretch]) -> Iterator[str]:
    committed = _Committed(stretches)
    for stretch in stretches:
        acked = [(c.acked_s, c.sent_s, c.position) for c in stretch.commits if c.acked_s is not None]
        if not acked:
            continue
        first_acked_s, last_sent_s = min(acked)[0], max(sent_s for _, sent_s, _ in acked)
        for sent_s, acked_s, other in committed.commits:
            if other is not stretch and first_acked_s < sent_s and acked_s < last_sent_s:
                yield f"{stretch} has commits acknowledged before and after one of {other}"
                break
        for _, sent_s, position in acked:
            if position < committed.before(sent_s):
                yield f"{stretch} commits {position}, though more was committed"


class _Committed:
    """What was acknowledged in a partition: `commits` are `(sent_s, acked_s, stretch)`, by `acked_s`."""

    def __init__(self, stretches: Sequence[Stretch]) -> None:
        acked = sorted(
            (commit.acked_s, commit.sent_s, commit.position, number)
            for number, stretch in enumerate(stretches)
            for commit in stretch.commits
            if commit.acked_s is not None
        )
        self.commits = [(sent_s, acked_s, stretches[number]) for acked_s, sent_s, _, number in acked]
        self._times = [acked_s for acked_s, *_ in acked]
        self._highest = list(accumulate((position for _, _, position, _ in acked), max, initial=BEGINNING))

    def before(self, at_s: float) -> int:
        """The highest position that was acknowledged before a time."""
        return self._highest[bisect_left(self._times, at_s)]


def _gaps(stretches: Sequence[Stretch], end: int) -> Iterator[str]:
    """Offsets that no stretch has read."""
    at = BEGINNING
    for first, last in sorted((s.first, s.end) for s in stretches if s.first is not None):
        if first > at:
            yield f"{at} to {first - 1}"
        at = max(at, last)
    if at < end:
        yield f"{at} to {end - 1}"
