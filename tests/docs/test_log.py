"""Each promise about the log, and each kind of damage, has something that shows it."""

from __future__ import annotations

import re

from tests.docs.snippets import ROOT
from tests.docs.tables import shown_by

_SHOWN = re.compile(r"`(test_\w+|tests/\S+|python -m .+)`")


def test_each_promise_names_what_shows_it() -> None:
    """That what is named exists is seen to by `test_named_tests`."""
    for page, columns, least in (("log.md", 2, 45), ("storage.md", 3, 25)):
        rows = shown_by((ROOT / "docs" / page).read_text())
        assert len(rows) >= least
        assert all(len(row) == columns for row in rows)
        assert not [row[0] for row in rows if not _SHOWN.search(row[-1])]
