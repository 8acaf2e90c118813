"""Places in a topic, as people write them: an offset, a time, or one of its ends.

| text | meaning |
|---|---|
| `beginning`, `end` | the first record; behind the last one |
| `42` | offset 42 |
| `-100` | the last hundred records of each partition |
| `-90s`, `-30m`, `-1h`, `-7d`, `-2w` | so long ago |
| `2026-11-23`, `2026-11-23T10:15`, `...T10:15:30.250Z`, `...+02:00` | a time; without a zone, the machine's |

A time means the first record of each partition whose timestamp is not before it. A range is `FROM:UNTIL`,
either of which may be missing; UNTIL is exclusive.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import Enum
from typing import NamedTuple

from kstream.replay.errors import ReplayError

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_AGO = re.compile(r"-([0-9]+)(ms|[smhdw])")
_HELP = (
    "write beginning, end, an offset (42), the last so many (-100), a time (2026-11-23T10:15)"
    " or how long ago (-1h)"
)


class Kind(Enum):
    """What a moment's number means."""

    BEGINNING = "beginning"
    END = "end"
    OFFSET = "offset"
    LAST = "last"
    TIME = "time"


class Moment(NamedTuple):
    """A place in every partition of a topic. `number` is an offset, a count or milliseconds since the
    epoch.
    """

    kind: Kind
    number: int = 0

    def __str__(self) -> str:
        if self.kind is Kind.TIME:
            return datetime.fromtimestamp(self.number / 1000, UTC).isoformat(timespec="milliseconds")
        if self.kind is Kind.OFFSET:
            return f"offset {self.number}"
        return f"the last {self.number}" if self.kind is Kind.LAST else self.kind.value


BEGINNING = Moment(Kind.BEGINNING)
END = Moment(Kind.END)


class Range(NamedTuple):
    """From a moment until another, exclusive."""

    start: Moment = BEGINNING
    end: Moment = END


def parse_moment(text: str, now_ms: int) -> Moment:
    """The moment that `text` means at `now_ms`. Raises `ReplayError`."""
    if text in ("beginning", "earliest", "start"):
        return BEGINNING
    if text in ("end", "latest", "now"):
        return END
    if re.fullmatch(r"[0-9]+", text):
        return Moment(Kind.OFFSET, int(text))
    if re.fullmatch(r"-[0-9]+", text):
        return Moment(Kind.LAST, int(text[1:]))
    if ago := _AGO.fullmatch(text):
        return Moment(Kind.TIME, max(0, now_ms - int(ago[1]) * _UNITS_MS[ago[2]]))
    try:
        time = datetime.fromisoformat(text)
        return Moment(Kind.TIME, round(time.timestamp() * 1000))
    except (ValueError, OverflowError):
        raise ReplayError(f"{text or 'nothing'} is no place in a topic: {_HELP}") from None


def parse_range(text: str, now_ms: int) -> Range:
    """`FROM:UNTIL`, `FROM:`, `:UNTIL` or `FROM`. Times have colons too: the split is where both halves make
    sense. Raises `ReplayError`.
    """
    splits = [i for i, letter in enumerate(text) if letter == ":"]
    for at in splits:
        start, end = text[:at], text[at + 1 :]
        try:
            return Range(
                parse_moment(start, now_ms) if start else BEGINNING, parse_moment(end, now_ms) if end else END
            )
        except ReplayError:
            continue
    try:
        return Range(parse_moment(text, now_ms))
    except ReplayError:
        raise ReplayError(f"{text} is no range: write FROM:UNTIL, such as -1h: or 100:200; {_HELP}") from None


def split_range(text: str) -> tuple[str, str | None]:
    """`NAME@RANGE` as its two parts. A path may have an @ of its own; the last one counts."""
    name, at, span = text.rpartition("@")
    return (name, span) if at and name else (text, None)
