"""Pages that say which test shows a promise name tests that are there."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
_NAME = re.compile(r"`(?:(tests/[\w/]+\.py)::)?(test_\w+)`")
_FILE = re.compile(r"`(tests/[\w/]+(?:\.\w+)?)(?:::\w+)?`")


@lru_cache
def functions_of(path: Path) -> frozenset[str]:
    """The test functions of a module, also those of its classes."""
    tree = ast.parse(path.read_text())
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


@lru_cache
def all_tests() -> frozenset[str]:
    modules = (ROOT / "tests").rglob("test_*.py")
    return frozenset().union(*map(functions_of, modules)) | {
        path.stem for path in (ROOT / "tests").rglob("test_*.py")
    }


def missing(text: str) -> list[str]:
    """What a page names between backticks, and is not there."""
    absent = [file for file in _FILE.findall(text) if not (ROOT / file).exists()]
    for file, name in _NAME.findall(text):
        path = ROOT / file
        if file and path.exists():
            if name not in functions_of(path):
                absent.append(f"{file}::{name}")
        elif not file and name not in all_tests():
            absent.append(name)
    return absent


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_tests_that_a_page_names_exist(page: Path) -> None:
    assert missing(page.read_text()) == []


def test_one_that_does_not_exist_is_found() -> None:
    here = "tests/docs/test_named_tests.py"
    assert missing(f"`{here}::test_nothing`, `test_nowhere`, `tests/nowhere.py`, `tests/gone`") == [
        "tests/nowhere.py",
        "tests/gone",
        f"{here}::test_nothing",
        "test_nowhere",
    ]
    named = "test_one_that_does_not_exist_is_found"
    assert missing(f"`{here}::{named}`, `{named}`, `tests/docs`, `test_named_tests`") == []
