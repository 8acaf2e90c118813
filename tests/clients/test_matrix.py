"""The matrix's pins: they name steps that exist, a lost pass is told, and the page has their table."""

from __future__ import annotations

from compat.chapters import chapters
from compat.matrix.command_line import TOOLS
from compat.matrix.connect import STEPS
from compat.matrix.entries import ENTRIES
from compat.matrix.pins import PAGE, lost, page, pinned
from compat.matrix.processors import JOBS
from compat.matrix.run import Result
from compat.matrix.web_uis import PAGES


def test_pins_name_entries_and_their_steps() -> None:
    steps = (
        {chapter.name for chapter in chapters(restart=lambda: None)}
        | {*PAGES, *TOOLS, *STEPS, *(job.step for job in JOBS)}
        | {"word-count"}
    )
    kept = pinned()
    assert kept.keys() <= {entry.name for entry in ENTRIES}
    for name, row in kept.items():
        assert row["passed"], name
        assert set(row["passed"]) <= steps, name


def test_the_page_has_the_table_of_the_pins() -> None:
    text = PAGE.read_text()
    assert page(text, pinned()) == text, "run `python -m compat matrix --pin`"


def test_a_pass_that_does_not_come_again_is_lost() -> None:
    passed = pinned()["franz-go"]["passed"]
    again = Result("franz-go", "Go", passed=passed[1:], failed={passed[0]: "it broke"})
    assert [loss.split(":")[0] for loss in lost([again])] == [f"franz-go {passed[0]}"]
    assert lost([Result("franz-go", "Go", missing="no go")]) == []
    assert lost([Result("franz-go", "Go", passed=passed)]) == []
