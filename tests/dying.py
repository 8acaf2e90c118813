"""A process that dies at one of the system calls by which files change."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

_CALLS = ("write", "pwrite", "fsync", "fdatasync", "replace", "rename", "unlink", "ftruncate", "truncate")


class Died(BaseException):
    """The process is gone."""


@contextmanager
def dying(calls_left: int) -> Iterator[list[str]]:
    """The process dies at the nth such call; yields the names of those before."""
    calls: list[str] = []

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            if len(calls) == calls_left:
                raise Died
            calls.append(name)
            return function(*arguments, **keywords)

        return call

    patches = [patch.object(os, name, counted(name, getattr(os, name))) for name in _CALLS]
    for each in patches:
        each.start()
    try:
        yield calls
    finally:
        for each in reversed(patches):
            each.stop()


class EachDeath:
    """Iterate over copies of `source` in `parent`: one for each step at which `act` upon it may die, as that
    leaves it, and at last one where it does not, whose calls are `calls`.
    """

    def __init__(self, source: Path, parent: Path, act: Callable[[Path], Any]) -> None:
        self._source = source
        self._parent = parent
        self._act = act
        self.calls: list[str] = []

    def __iter__(self) -> Iterator[Path]:
        is_whole = False
        for step in count():
            directory = self._parent / f"at-{step}"
            shutil.copytree(self._source, directory)
            try:
                with dying(step) as self.calls:
                    self._act(directory)
                is_whole = True
            except Died:
                pass
            yield directory
            if is_whole:
                return
