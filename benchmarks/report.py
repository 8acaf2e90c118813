"""Results as a plain table, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.load import FETCH_SETTINGS, ONE_RECORD_SETTINGS, PRODUCE_SETTINGS
from benchmarks.measures import MEASURES, Measure, Results, spread
from benchmarks.run import CEILING, Scale

_HEAD = ("what", "kstream ÷ Kafka", "floor", "", "kstream", "Kafka", "unit", "ceiling")


def rows(results: Results, wanted: Sequence[str]) -> list[tuple[str, ...]]:
    """One row for each measure that was taken, ratios first."""
    return [_row(results, MEASURES[name]) for name in MEASURES if name in wanted and name in results.values]


def _row(results: Results, measure: Measure) -> tuple[str, ...]:
    ratio = results.ratio(measure.name)
    met = results.is_met(measure.name)
    return (
        measure.name,
        "-" if ratio is None else f"{ratio:.2f}",
        _owed(measure),
        {True: "met", False: "MISSED", None: ""}[met],
        _value(results, measure.name, "kstream"),
        _value(results, measure.name, "kafka"),
        measure.unit,
        _value(results, measure.name, CEILING),
    )


def _owed(measure: Measure) -> str:
    if measure.floor is not None:
        return f"{measure.floor:.1f}"
    return "" if measure.limit is None else f"≤ {measure.limit:g} {measure.unit}"


def _value(results: Results, name: str, peer: str) -> str:
    taken = results.values.get(name, {}).get(peer)
    median = results.median(name, peer)
    if not taken or median is None:
        return "-"
    text = f"{median:,.0f}" if median >= 100 else f"{median:.2f}" if median < 10 else f"{median:.1f}"
    return f"{text} ±{spread(taken):.0%}" if len(taken) > 1 else text


def as_text(table: Sequence[tuple[str, ...]]) -> str:
    """Columns padded with spaces."""
    lines = [_HEAD, *table]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    padded = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
    )
    return "\n".join(line.rstrip() for line in padded)


def as_markdown(table: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [_HEAD, tuple("---" for _ in _HEAD), *table]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def as_json(results: Results, facts: dict[str, Any], scale: Scale) -> str:
    """All values taken, with what is needed to take them again."""
    document = {
        **facts,
        "scale": asdict(scale),
        "settings": {"produce": PRODUCE_SETTINGS, "one record": ONE_RECORD_SETTINGS, "fetch": FETCH_SETTINGS},
        "values": results.values,
        "ratios": {name: results.ratio(name) for name in results.values},
        "server_cpu_seconds": results.server_cpu,
    }
    return json.dumps(document, indent=1, ensure_ascii=False)
