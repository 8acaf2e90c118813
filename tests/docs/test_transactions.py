"""Each promise about transactions has something that shows it, and no recording is left out."""

from __future__ import annotations

import re

from tests.docs.snippets import ROOT
from tests.docs.tables import RECORDED, shown_by

PAGE = (ROOT / "docs" / "transactions.md").read_text()


def test_each_promise_names_what_shows_it() -> None:
    """That what is named exists is seen to by `test_named_tests`."""
    rows = shown_by(PAGE)
    assert len(rows) > 40
    assert all(len(row) == 2 for row in rows)
    assert not [
        promise for promise, shown in rows if not re.search(r"`(test_\w+|tests/\S+|python -m .+)`", shown)
    ]
    recorded = {name for name in RECORDED if name.startswith("transaction")}
    assert recorded <= set(re.findall(r"`tests/golden/(\w+)\.txt`", PAGE))
