"""The code blocks of the documentation, and what is to be done with each.

A block in a language that can be run is run, unless an HTML comment right before it says why not:

    <!-- not run: needs a container engine -->

A comment `<!-- needs: PROGRAM -->` there says what else must be installed, and `<!-- server: ARGUMENTS -->`
anywhere on a page gives the page's server arguments of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

_NOT_RUN = re.compile(r"<!-- not run: (.+?) -->", re.DOTALL)
_NEEDS = re.compile(r"<!-- needs: (\S+) -->")
_SERVER = re.compile(r"<!-- server: (.+?) -->")


class Snippet(NamedTuple):
    """One code block of a page."""

    page: Path
    line: int
    language: str
    """As the fence says; empty for a block without one."""
    text: str
    not_run: str | None
    """The reason, or None if the block is to be run."""
    needs: str | None = None
    """A program that must be installed besides."""

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def snippets(page: Path) -> Iterator[Snippet]:
    """All code blocks of a page, in order."""
    comment = ""
    for token in MarkdownIt().parse(page.read_text()):
        if token.type in ("fence", "code_block"):
            reason, needed = _NOT_RUN.search(comment), _NEEDS.search(comment)
            assert token.map is not None
            yield Snippet(
                page,
                token.map[0] + 1,
                language=token.info.partition(" ")[0],
                text=token.content,
                not_run=reason and reason[1],
                needs=needed and needed[1],
            )
        comment = token.content if token.type == "html_block" else ""


def server_arguments(page: Path) -> list[str]:
    """The arguments that the page's comment gives its server."""
    found = _SERVER.search(page.read_text())
    return found[1].split() if found else []
