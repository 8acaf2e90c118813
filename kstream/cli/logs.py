"""The log on standard error: one line per event."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

_COLOURS = {logging.WARNING: "\x1b[33m", logging.ERROR: "\x1b[31m", logging.CRITICAL: "\x1b[31m"}


class _LineFormatter(logging.Formatter):
    """`06:24:21.123 WARNING server.connection: ...`, with colours if they are wanted."""

    default_msec_format = "%s.%03d"

    def __init__(self, *, has_colours: bool) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", datefmt="%H:%M:%S")
        self._has_colours = has_colours

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return f"{super().formatTime(record, datefmt)}.{int(record.msecs):03d}"

    def format(self, record: logging.LogRecord) -> str:
        record.name = record.name.removeprefix("kstream.")
        line = super().format(record)
        colour = _COLOURS.get(record.levelno) if self._has_colours else None
        return f"{colour}{line}\x1b[0m" if colour else line


def set_up(level: str, *, stream: TextIO | None = None, has_colours: bool = False) -> None:
    """Log to `stream` (default: standard error) from `level` on: debug, info, warning or error."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_LineFormatter(has_colours=has_colours))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.raiseExceptions = False  # a closed standard error must not disturb the server
