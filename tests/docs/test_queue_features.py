"""The tables of queue features have something to show for each, and leave no setting out."""

from __future__ import annotations

import re

from kstream.config.catalogue import group_keys
from kstream.config.queues import QUEUE_PREFIX
from kstream.shares.queue import entries
from tests.docs.snippets import ROOT
from tests.docs.tables import RECORDED, shown_by

PAGE = (ROOT / "docs" / "queue-features.md").read_text()
_NAME = re.compile(r"`([a-z_0-9]+)`")


def test_each_feature_names_what_shows_it() -> None:
    """That named tests exist is seen to by `test_named_tests`."""
    rows = shown_by(PAGE)
    named = {row[0]: _NAME.findall(row[-1]) for row in rows}
    assert len(named) > 30
    assert all(len(row) == 5 for row in rows)
    assert not [feature for feature, names in named.items() if not names]
    scenarios = {name for names in named.values() for name in names if not name.startswith("test_")}
    assert scenarios <= RECORDED
    assert {name for name in RECORDED if name.startswith("share_")} <= scenarios


def test_each_setting_and_header_is_on_the_page() -> None:
    keys = [name for name in group_keys() if name.startswith(QUEUE_PREFIX)]
    endings = [name.removeprefix(f"{QUEUE_PREFIX}{name.split('.')[2]}") for name in keys]
    for name, ending in zip(keys, endings, strict=True):
        assert f"`{name}" in PAGE or f"`{ending}`" in PAGE, name
    for header in (entries.DELAY, entries.DELIVER_AT, entries.TTL, entries.PRIORITY, entries.REDRIVEN):
        assert f"| `{header}` |" in PAGE, header
