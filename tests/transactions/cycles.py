"""Cycles in what transactions wrote and read, in Elle's terms for lists that are appended to.

Kafka orders appends within a partition, and lets transactions interleave: two that are open at once may stand
in one order here and in the other there. So a cycle of writes alone (Elle's G0) proves nothing, unless time
speaks against it: a transaction that had ended before another began stands before it in every partition. A
reader inside a transaction sees what was committed before, so who read from whom, together with who ended
before whom began, has no cycle (G1c): each step leads to a later commit.
"""

from __future__ import annotations

import graphlib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import inf
from typing import NamedTuple

Element = tuple[int, bytes]
"""Partition and value."""


class Attempt(NamedTuple):
    """One transaction: what was acknowledged in order, and how it ended; None where nobody knows.

    `reads` are the committed elements that it met before its end. `began` and `ended` are moments of one
    clock, around everything it did; an end that was not acknowledged has none.
    """

    appends: tuple[Element, ...]
    outcome: bool | None
    reads: tuple[Element, ...] = ()
    began: float = -inf
    ended: float = inf


class Read(NamedTuple):
    """One record that a reader met."""

    partition: int
    offset: int
    value: bytes


def write_cycles(attempts: Sequence[Attempt], final: Sequence[Read]) -> list[str]:
    """Two transactions of which the later one stands before the earlier one (G0)."""
    found = []
    writer_of = _writers(attempts)
    last_began: dict[int, int] = {}
    """By partition, the writer that began last of those that stand there so far."""
    for read in sorted(final):
        writer = writer_of.get((read.partition, read.value))
        if writer is None:
            continue
        before = last_began.setdefault(read.partition, writer)
        if attempts[writer].ended < attempts[before].began:
            found.append(f"write cycle (G0): {attempts[before]} stands before {attempts[writer]}")
        elif attempts[writer].began > attempts[before].began:
            last_began[read.partition] = writer
    return found


def read_cycles(attempts: Sequence[Attempt]) -> list[str]:
    """A circle of transactions, each of which read from the one before or began after its end (G1c)."""
    writer_of = _writers(attempts)
    before: dict[object, set[object]] = defaultdict(set)
    for reader, attempt in enumerate(attempts):
        for element in attempt.reads:
            writer = writer_of.get(element, reader)
            if writer != reader:
                before[reader].add(writer)
    _add_time(attempts, before)
    try:
        graphlib.TopologicalSorter(before).prepare()
    except graphlib.CycleError as error:
        circle = [attempts[node] for node in error.args[1] if isinstance(node, int)]
        return [f"read cycle (G1c): {circle}"]
    return []


def _add_time(attempts: Sequence[Attempt], before: dict[object, set[object]]) -> None:
    """Who ended before whom began, by a chain of moments: an edge for each pair would be too many."""
    moments = sorted({attempt.ended for attempt in attempts} - {inf})
    nodes = [("moment", moment) for moment in moments]
    for earlier, later in pairwise(nodes):
        before[later].add(earlier)
    for number, attempt in enumerate(attempts):
        if attempt.ended < inf:
            before["moment", attempt.ended].add(number)
        passed = bisect_left(moments, attempt.began)
        if passed:
            before[number].add(nodes[passed - 1])


def _writers(attempts: Sequence[Attempt]) -> Mapping[Element, int]:
    return {element: number for number, attempt in enumerate(attempts) for element in attempt.appends}
