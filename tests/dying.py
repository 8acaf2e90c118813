"""A process that dies at one of the system calls by which files change."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
