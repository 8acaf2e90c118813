"""What passed once and must go on passing: `matrix.json`, and the table that `docs/clients.md` has of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from compat.matrix.entries import ENTRIES
from compat.matrix.run import Result

PINS = Path(__file__).with_name("matrix.json")
PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
_BEGIN = "<!-- matrix: written by `python -m compat matrix --pin` -->"
_END = "<!-- end of matrix -->"

Pins = dict[str, dict[str, Any]]


def pinned() -> Pins:
    """By entry: its version, what passed, and its gaps."""
    pins: Pins = json.loads(PINS.read_text())
    return pins


def lost(results: Iterable[Result]) -> list[str]:
    """Passes that are pinned and did not come again, of entries that could run."""
    pins = pinned()
    return [
        f"{result.name} {step}: it passed with {pins[result.name]['version']}"
        for result in results
        if result.missing is None and result.name in pins
        for step in pins[result.name]["passed"]
        if step not in result.passed
    ]


def pin(results: Iterable[Result]) -> None:
    """Keep what passed in place of what was kept of these entries, and write the page."""
    pins = pinned()
    for result in results:
        if result.missing is None:
            pins[result.name] = {
                "kind": result.kind,
                "version": result.version,
                "passed": result.passed,
                "gaps": result.gaps,
            }
    ordered = {entry.name: pins[entry.name] for entry in ENTRIES if entry.name in pins}
    PINS.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(page(PAGE.read_text(), ordered))


def page(text: str, pins: Mapping[str, Mapping[str, Any]]) -> str:
    """The page with its table anew; all around the two marks stays."""
    before, rest = text.split(_BEGIN)
    _, after = rest.split(_END)
    return f"{before}{_BEGIN}\n\n{_table(pins)}\n{_gaps(pins)}\n{_END}{after}"


def _table(pins: Mapping[str, Mapping[str, Any]]) -> str:
    lines = ["| client | version | passed | not told |", "|---|---|---|---|"]
    for name, kept in pins.items():
        steps = [gap for gap in kept["gaps"] if gap in _all_steps(pins)]
        cells = [
            f"{name} ({kept['kind']})",
            kept["version"],
            f"{len(kept['passed'])}: {_short(kept['passed'])}",
            ", ".join(steps) or "-",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _all_steps(pins: Mapping[str, Mapping[str, Any]]) -> set[str]:
    return {step for kept in pins.values() for step in kept["passed"]}


def _short(steps: Sequence[str]) -> str:
    """Steps by name; `zstd` and `zstd-idempotent` as one."""
    short = []
    for step in steps:
        if step.endswith("-idempotent") and step.removesuffix("-idempotent") in steps:
            continue
        short.append(f"{step} (+idempotent)" if f"{step}-idempotent" in steps else step)
    return ", ".join(short)


def _gaps(pins: Mapping[str, Mapping[str, Any]]) -> str:
    lines = []
    for name, kept in pins.items():
        reasons: dict[str, list[str]] = {}
        for what, why in kept["gaps"].items():
            reasons.setdefault(why, []).append(what)
        lines += [f"- **{name}**: {', '.join(what)}: {why}." for why, what in reasons.items()]
    return "\n".join(lines) + "\n"
