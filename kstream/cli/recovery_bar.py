"""A progress bar while logs are checked after an unclean stop, on a terminal and where `rich` is installed.

Lines of the log that come meanwhile go above it.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

    from kstream.broker.broker import Broker
    from kstream.broker.recovery import Progress


def show_recovery(broker: Broker) -> None:
    """Have the broker's recovery show a bar, if it can be shown."""
    if sys.stderr.isatty() and importlib.util.find_spec("rich") is not None:
        broker.partitions.recovery.show_progress = RecoveryBar()


class RecoveryBar:
    """Call it with how far it is, and with None at the end."""

    def __init__(self, console: Console | None = None) -> None:
        """`console`: where it is shown, by default on standard error."""
        self._console = console
        self._bar: _Bar | None = None

    def __call__(self, progress: Progress | None) -> None:
        if progress is None:
            if self._bar is not None:
                self._bar.end()
            return
        if self._bar is None:
            self._bar = _Bar(self._console, progress.total_bytes)
        self._bar.show(progress)


class _Bar:
    def __init__(self, console: Console | None, total_bytes: int) -> None:
        # Here, since most starts have nothing to check, and need not wait for this import.
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self._progress = Progress(
            TextColumn("checking logs"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[partitions]}"),
            console=console or Console(stderr=True),
            auto_refresh=False,
            transient=True,
        )
        self._task = self._progress.add_task("", total=total_bytes, partitions="")
        before = sys.stderr
        self._progress.start()
        self._redirected = _redirect_log(before, sys.stderr)
        self._before = before

    def show(self, progress: Progress) -> None:
        self._progress.update(
            self._task,
            completed=min(progress.checked_bytes, progress.total_bytes),
            partitions=f"{progress.ready_partitions} of {progress.all_partitions} partitions are ready",
            refresh=True,
        )

    def end(self) -> None:
        for handler in self._redirected:
            handler.setStream(self._before)
        self._progress.stop()


def _redirect_log(before: TextIO, now: TextIO) -> list[logging.StreamHandler[TextIO]]:
    """Handlers that wrote to one stream and now write to another."""
    handlers = [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream is before
    ]
    for handler in handlers:
        handler.setStream(now)
    return handlers
