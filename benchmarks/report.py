"""Results as a plain table, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.goals import CEILING, KSTREAM, MACHINE
from benchmarks.measures import REFERENCE, Results, spread
from benchmarks.peers import PEERS

_OTHERS = [peer for peer in PEERS if peer not in (KSTREAM, REFERENCE)]
HEAD = (
    "what",
    *(f"÷ {peer}" for peer in (REFERENCE, *_OTHERS)),
    "of ceiling",
    "of limit",
    "goal",
    "",
    "kstream",
    REFERENCE,
    *_OTHERS,
    "ceiling",
    "limit",
    "unit",
)


def rows(results: Results, wanted: Sequence[str], *, judged: bool = True) -> list[tuple[str, ...]]:
    """One row for each measure that was taken, ratios first; `judged` says whether goals are met."""
    return [_row(results, name, judged=judged) for name in wanted if name in results.values]


def _row(results: Results, name: str, *, judged: bool) -> tuple[str, ...]:
    measure = results.measures[name]
    return (
        name,
        *(ratio_text(results.better(name, peer)) for peer in (REFERENCE, *_OTHERS)),
        share_text(results.better(name, CEILING)),
        share_text(results.share_of_limit(name)),
        "; ".join(goal.text() for goal in measure.goals),
        {True: "met", False: "MISSED", None: ""}[results.is_met(name) if judged else None],
        *(value_text(results, name, peer) for peer in (KSTREAM, REFERENCE, *_OTHERS, CEILING)),
        value_text(results, measure.limit or name, MACHINE),
        measure.unit,
    )


def ratio_text(ratio: float | None) -> str:
    """How many times better, with two digits."""
    return "-" if ratio is None else f"{ratio:.2f}"


def share_text(share: float | None) -> str:
    """A share in percent."""
    return "-" if share is None else f"{share:.0%}"


def value_text(results: Results, name: str, peer: str) -> str:
    """The median and half the range of the values."""
    taken = results.values.get(name, {}).get(peer)
    median = results.median(name, peer)
    if not taken or median is None:
        return "-"
    text = number_text(median)
    return f"{text} ±{spread(taken):.0%}" if len(taken) > 1 else text


def number_text(value: float) -> str:
    """As many digits as tell something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def as_text(table: Sequence[tuple[str, ...]], head: Sequence[str] = HEAD) -> str:
    """Columns padded with spaces."""
    lines = [tuple(head), *table]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    padded = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
    )
    return "\n".join(line.rstrip() for line in padded)


def as_markdown(table: Sequence[tuple[str, ...]], head: Sequence[str] = HEAD) -> str:
    """A Markdown table."""
    lines = [tuple(head), tuple("---" for _ in head), *table]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
