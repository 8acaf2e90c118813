"""How far a replay has come, in a file, so that a later one goes on from there.

    {"source": "orders at 127.0.0.1:9092", "target": "out.jsonl", "next": {"0": 1200}, "target_bytes": 88211}

Written after the target has said that everything before is safe. What a crash left behind that in a file is
cut off, so a resumed file has each record once; a topic may have those after the last mark twice.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from kstream.replay.errors import ReplayError


class Progress(NamedTuple):
    """The next offset of each partition of the source, and how long the target's file was then."""

    next_offsets: dict[int, int]
    target_bytes: int | None = None


class ProgressFile:
    """The file of one replay, from `source` to `target`, as they call themselves."""

    def __init__(self, path: Path, *, source: str, target: str) -> None:
        self._path = path
        self._places = {"source": source, "target": target}

    def load(self) -> Progress:
        """What was written last, or nothing for a file that is not there. Raises `ReplayError`."""
        try:
            fields = json.loads(self._path.read_text())
            if {name: fields[name] for name in self._places} != self._places:
                raise ReplayError(
                    f"{self._path} belongs to another replay, from {fields['source']} to {fields['target']}:"
                    " give another file, or remove this one"
                )
            return Progress(
                {int(index): int(offset) for index, offset in fields["next"].items()},
                fields.get("target_bytes"),
            )
        except FileNotFoundError:
            return Progress({})
        except OSError as error:
            raise ReplayError(f"cannot read {self._path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ReplayError(f"{self._path} is no progress file: give another, or remove it") from None

    def save(self, progress: Progress) -> None:
        """Replace the file in one step. Raises `ReplayError`."""
        fields: dict[str, Any] = {
            **self._places,
            "next": {str(k): v for k, v in progress.next_offsets.items()},
        }
        if progress.target_bytes is not None:
            fields["target_bytes"] = progress.target_bytes
        new = self._path.with_name(self._path.name + ".new")
        try:
            new.write_text(json.dumps(fields))
            os.replace(new, self._path)
        except OSError as error:
            raise ReplayError(f"cannot write {self._path}: {error.strerror}") from None
