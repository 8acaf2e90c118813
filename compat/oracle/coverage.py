"""The table of what is compared: per API and version, how many exchanges, equal, different with a reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

from compat.oracle.compare import Allowed, Comparison
from kstream.wire.apis import APIS

DOCUMENT = Path(__file__).parents[2] / "docs" / "compatibility.md"
_BEGIN = "<!-- coverage: written by `python -m compat.oracle replay --table` -->"
_END = "<!-- end of coverage -->"
_ORDER = {api.name: api.key for api in APIS.values()}


def table(results: dict[str, list[Comparison]], allowed: list[Allowed]) -> str:
    """The coverage table, and below it every difference that is allowed, as Markdown."""
    counts: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    used: Counter[Allowed] = Counter()
    for comparisons in results.values():
        for each in comparisons:
            kind = "different" if each.unexplained else "explained" if each.explained else "equal"
            counts[each.exchange.api, each.exchange.version][kind] += 1
            used.update({entry for _, entry in each.explained})
    total = sum(counts.values(), Counter[str]())
    lines = [
        f"{total.total():,} exchanges in {len(results)} scenarios: {total['equal']:,} equal, "
        f"{total['explained']:,} different with a reason, {total['different']:,} different without one.",
        "",
        "| API | version | exchanges | equal | different, with a reason | different |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, version in sorted(counts, key=lambda key: (_ORDER.get(key[0], -1), key[1])):
        count = counts[name, version]
        shown = "" if name == "Connection" else str(version)
        lines.append(
            f"| {name} | {shown} | {count.total()} | {count['equal']} | {count['explained'] or ''} "
            f"| {count['different'] or ''} |"
        )
    lines += ["", "Differences that are meant, and why:", ""]
    for entry in allowed:
        where = " · ".join(part for part in (entry.scenario, entry.exchange, entry.field) if part != "*")
        lines.append(f"- `{where}` ({used[entry]} exchanges): {entry.reason}")
    if not allowed:
        lines.append("- none")
    return "\n".join(lines)


def write(text: str) -> None:
    """Put the table into its place in the document, between its two marks."""
    document = DOCUMENT.read_text()
    before, _, rest = document.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    DOCUMENT.write_text(f"{before}{_BEGIN}\n\n{text}\n\n{_END}{after}")
