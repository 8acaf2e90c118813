"""Tables of the documentation that say what shows each promise."""

from __future__ import annotations

from tests.docs.snippets import ROOT

RECORDED = frozenset(path.stem for path in (ROOT / "tests" / "golden").glob("*.txt"))
"""The conversations with Apache Kafka that there are."""


def shown_by(page: str) -> list[list[str]]:
    """The cells of the tables whose last column is "shown by", without their heads."""
    found: list[list[str]] = []
    is_inside = False
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            is_inside = False
        elif cells[-1] == "shown by":
            is_inside = True
        elif is_inside and not set(line) <= set("|-"):
            found.append(cells)
    return found
