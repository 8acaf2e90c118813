"""Every command and every program in the documentation does what it says, in the order in which it stands."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.docs.running import PageRun, sessions
from tests.docs.snippets import PAGES, Snippet, snippets

_RUN = [page for page in PAGES if any(each.not_run is None for each in snippets(page))]


@pytest.mark.clients
@pytest.mark.parametrize("page", _RUN, ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    missing = []
    with PageRun(page, tmp_path) as run:
        for snippet in snippets(page):
            if snippet.needs is not None and shutil.which(snippet.needs) is None:
                missing.append(f"{snippet} needs {snippet.needs}")
            elif snippet.not_run is None:
                run.run(snippet)
    if missing:
        pytest.skip(f"all but: {', '.join(missing)}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_blocks_have_a_language(page: Path) -> None:
    bare = [str(snippet) for snippet in snippets(page) if not snippet.language]
    assert not bare, f"fence these blocks, with their language: {', '.join(bare)}"


def test_blocks_are_found_with_their_reasons(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("text\n\n<!-- not run: it is\nslow -->\n```sh\nsleep 9\n```\n\n```sh\ntrue\n```\n")
    assert list(snippets(page)) == [
        Snippet(page, 5, "sh", "sleep 9\n", "it is\nslow"),
        Snippet(page, 9, "sh", "true\n", None),
    ]


def test_consoles_are_commands_with_what_they_print() -> None:
    assert sessions("$ echo a \\\n> b\na b\n$ true\n") == [("echo a \\\nb", "a b\n"), ("true", "")]
