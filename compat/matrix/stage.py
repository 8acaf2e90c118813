"""What an entry of the matrix is at work: a stage, and a session on it that has steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol


class Stage(NamedTuple):
    """The server that an entry meets. `restart` kills and starts it; None if it is somebody else's."""

    bootstrap: str
    prefix: str
    restart: Callable[[], None] | None


class Step(NamedTuple):
    """One thing that passes or raises."""

    name: str
    run: Callable[[], None]


class Session(Protocol):
    """An entry at work against one server."""

    @property
    def gaps(self) -> Mapping[str, str]:
        """What it cannot do, and why, by step or by what is missing."""
        ...

    def version(self) -> str: ...

    def steps(self) -> Iterable[Step]: ...

    def close(self) -> None: ...
