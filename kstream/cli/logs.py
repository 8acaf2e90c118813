"""The log on standard error: one line per event, and not more of them than somebody can read.

Much of what is logged is somebody else's doing, and some of it their words: a client that breaks the rules a
thousand times a second must fill no disk, and what it calls itself must not look like lines of ours.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import TextIO

from kstream.cli.advice import advice

_COLOURS = {logging.WARNING: "\x1b[33m", logging.ERROR: "\x1b[31m", logging.CRITICAL: "\x1b[31m"}


_MESSAGE_CHARACTERS_MAX = 2000
_WINDOW_S = 10.0
_LINES_PER_WINDOW = 20
_KINDS_MAX = 1000


class _Moderation(logging.Filter):
    """Passes so many lines of a kind in a time; the first one after that says how many were left out."""

    def __init__(self) -> None:
        super().__init__()
        # By logger and message before its arguments: when the time began, and how many came since.
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind = (record.name, str(record.msg))
        began_s, count = self._windows.get(kind, (0.0, 0))
        if 0 <= record.created - began_s < _WINDOW_S:
            self._windows[kind] = (began_s, count + 1)
            return count < _LINES_PER_WINDOW
        if len(self._windows) >= _KINDS_MAX:
            self._windows.clear()
        self._windows[kind] = (record.created, 1)
        left_out = count - _LINES_PER_WINDOW
        if left_out > 0:
            record.msg = f"{record.getMessage()} ({left_out} more like this were left out before)"
            record.args = ()
        return True


class _JsonFormatter(logging.Formatter):
    """One JSON object a line, tracebacks in it, under the names that structlog gives."""

    def format(self, record: logging.LogRecord) -> str:
        seconds, fraction = divmod(record.created, 1)
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        fields = {
            "timestamp": f"{at}.{int(fraction * 1000):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name.removeprefix("kstream."),
            "event": _cut(record.getMessage()),
        }
        if told := advice(record):
            fields["advice"] = told
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


class _LineFormatter(logging.Formatter):
    """`06:24:21.123 WARNING server.connection: ...`, with colours if they are wanted."""

    default_msec_format = "%s.%03d"

    def __init__(self, *, has_colours: bool) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", datefmt="%H:%M:%S")
        self._has_colours = has_colours

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return f"{super().formatTime(record, datefmt)}.{int(record.msecs):03d}"

    def formatMessage(self, record: logging.LogRecord) -> str:
        message = _cut(record.message)
        if told := advice(record):
            message = f"{message}; {told}"
        if not message.isprintable():
            message = "".join(
                character if character.isprintable() else repr(character)[1:-1] for character in message
            )
        record.message = message
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        record.name = record.name.removeprefix("kstream.")
        line = super().format(record)
        colour = _COLOURS.get(record.levelno) if self._has_colours else None
        return f"{colour}{line}\x1b[0m" if colour else line


def _cut(message: str) -> str:
    if len(message) <= _MESSAGE_CHARACTERS_MAX:
        return message
    return f"{message[:_MESSAGE_CHARACTERS_MAX]}..."


def set_up(
    level: str, *, stream: TextIO | None = None, has_colours: bool = False, as_json: bool = False
) -> None:
    """Log to `stream` (default: standard error) from `level` on: debug, info, warning or error."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_JsonFormatter() if as_json else _LineFormatter(has_colours=has_colours))
    handler.addFilter(_Moderation())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.raiseExceptions = False  # a closed standard error must not disturb the server
