"""What a person sees while logs are checked."""

from __future__ import annotations

import io
import logging
import sys

import pytest
from rich.console import Console

from kstream.broker.recovery import Progress
from kstream.cli.recovery_bar import RecoveryBar


def test_a_bar_with_bytes_and_partitions_and_the_log_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    handler = logging.StreamHandler(terminal)
    logging.getLogger().addHandler(handler)
    try:
        bar = RecoveryBar(Console(file=terminal, force_terminal=True, width=150, color_system=None))
        bar(Progress(2_000_000_000, 10_000_000_000, 3, 12))
        assert "2.0/10.0 GB" in terminal.getvalue()
        assert "3 of 12 partitions are ready" in terminal.getvalue()
        before = len(terminal.getvalue())
        logging.getLogger().error("something else")
        bar(Progress(11_000_000_000, 10_000_000_000, 12, 12))
        shown = terminal.getvalue()[before:]
        assert shown.index("something else") < shown.index("10.0/10.0 GB")
        bar(None)
        assert (handler.stream, sys.stderr) == (terminal, terminal)
        before = len(terminal.getvalue())
        logging.getLogger().error("later")
        assert terminal.getvalue()[before:] == "later\n"
    finally:
        logging.getLogger().removeHandler(handler)


def test_nothing_to_check_shows_nothing() -> None:
    terminal = io.StringIO()
    RecoveryBar(Console(file=terminal, force_terminal=True))(None)
    assert terminal.getvalue() == ""
