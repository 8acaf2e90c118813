"""How long a coroutine works, without the time it waits."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from time import perf_counter_ns
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


class Timed(Generic[Result]):
    """Awaits a coroutine; `elapsed_ns` is what its steps took, while others' steps between them are not."""

    __slots__ = ("_coroutine", "elapsed_ns")

    def __init__(self, coroutine: Coroutine[Any, Any, Result]) -> None:
        self._coroutine = coroutine
        self.elapsed_ns = 0

    def __await__(self) -> Generator[Any, Any, Result]:
        coroutine = self._coroutine
        value: Any = None
        error: BaseException | None = None
        while True:
            started_ns = perf_counter_ns()
            try:
                trap = coroutine.send(value) if error is None else coroutine.throw(error)
            except StopIteration as end:
                result: Result = end.value
                return result
            finally:
                self.elapsed_ns += perf_counter_ns() - started_ns
            value = error = None
            try:
                value = yield trap
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as thrown:
                error = thrown
