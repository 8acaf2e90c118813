"""Exchanges as readable text, and back.

    == Fetch v7 | a full fetch opens a session
    > . max_bytes=1000
    > topics[0] topic="fetch-sessions-a"
    < . throttle_time_ms=0 error_code=0 session_id=<session-1>
    < responses[0] topic="fetch-sessions-a"

A line holds the fields of one struct, after its path. An exchange without an answer says what came instead:
`< !closed` (the server closed the connection), `< !no-answer` (it answered what was sent next, and not this).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from compat.oracle.flatten import Fields

ANSWER = "answer"
CLOSED = "closed"
NO_ANSWER = "no-answer"
SILENCE = "silence"

GOLDEN_FOLDER = Path(__file__).parents[2] / "tests" / "golden"

_FIELD = re.compile(r'([a-z0-9_]+)=("(?:[^"\\]|\\.)*"|\[[^\]]*\]|\S+)')


class Exchange(NamedTuple):
    """One request and what came back."""

    api: str
    """The API's name, or `Connection` for bytes that are no request of any."""
    version: int
    note: str
    request: Fields
    outcome: str
    answer: Fields

    @property
    def name(self) -> str:
        """Unique in its scenario."""
        return f"{self.api} v{self.version} | {self.note}"


def golden_path(scenario: str) -> Path:
    """Where what Kafka answered is kept."""
    return GOLDEN_FOLDER / f"{scenario}.txt"


def write(path: Path, scenario: str, about: str, exchanges: list[Exchange]) -> None:
    """Write a scenario's exchanges."""
    lines = [
        f"# {scenario}: {about}",
        "# Recorded from Apache Kafka 4.4.0 by `python -m compat.oracle record`.",
    ]
    for exchange in exchanges:
        lines += ["", f"== {exchange.name}"]
        lines += _lines(">", exchange.request)
        lines += _lines("<", exchange.answer) if exchange.outcome == ANSWER else [f"< !{exchange.outcome}"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def read(path: Path) -> list[Exchange]:
    """Read what `write` wrote."""
    exchanges: list[Exchange] = []
    for line in path.read_text().split("\n"):
        if line.startswith("== "):
            head, _, note = line[3:].partition(" | ")
            api, _, version = head.rpartition(" v")
            exchanges.append(Exchange(api, int(version), note, {}, ANSWER, {}))
        elif line.startswith("< !"):
            exchanges[-1] = exchanges[-1]._replace(outcome=line[3:])
        elif line.startswith(("> ", "< ")):
            parent, _, rest = line[2:].partition(" ")
            fields = exchanges[-1].request if line[0] == ">" else exchanges[-1].answer
            prefix = "" if parent == "." else parent + "."
            for name, token in _FIELD.findall(rest):
                fields[prefix + name] = token
    return exchanges


def _lines(mark: str, fields: Fields) -> list[str]:
    lines: list[str] = []
    last: str | None = None
    for path, token in fields.items():
        parent, _, name = path.rpartition(".")
        if parent != last:
            lines.append(f"{mark} {parent or '.'}")
            last = parent
        lines[-1] += f" {name}={token}"
    return lines
