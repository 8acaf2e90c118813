"""Offsets that a range means in one partition."""

from __future__ import annotations

from typing import NamedTuple

from kstream.replay.moments import Kind, Moment


class Span(NamedTuple):
    """Offsets of one partition, `end` exclusive."""

    start: int
    end: int


def offset_of(moment: Moment, edge: Span) -> int:
    """The offset that a moment other than a time means between a partition's edges."""
    if moment.kind is Kind.BEGINNING:
        return edge.start
    if moment.kind is Kind.END:
        return edge.end
    return max(edge.start, edge.end - moment.number) if moment.kind is Kind.LAST else moment.number
