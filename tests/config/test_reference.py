"""The reference page says what the catalogue says."""

from __future__ import annotations

from pathlib import Path

from kstream.config.reference import reference_page

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == reference_page(), "run: python -m kstream.config > docs/configuration.md"


def test_every_row_is_one_line() -> None:
    for line in reference_page().splitlines():
        if line.startswith("|"):
            assert line.endswith(" |") or set(line) == {"|", "-"}
