"""Faults as tests set them: each ends with its `with` block, or when it is removed."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar, Unpack

from kstream.broker.broker import Broker
from kstream.broker.fault_events import set_fault
from kstream.faults import Fault, FaultOptions, Faults
from kstream.testing.errors import BrokerNotRunning

T = TypeVar("T")


class RunIn(Protocol):
    """Runs a coroutine function with the broker, in the broker's thread."""

    def __call__(self, work: Callable[[Broker], Awaitable[T]], /) -> T: ...


class SetFaults:
    """Faults that were set together. As a context manager it removes them at the end."""

    def __init__(self, faults: Sequence[Fault], remove: Callable[[Sequence[Fault]], None]) -> None:
        self.faults = list(faults)
        self._remove = remove

    @property
    def hits(self) -> int:
        """How often they happened so far."""
        return sum(fault.hits for fault in self.faults)

    def remove(self) -> None:
        """Remove them, if they are still there; what they hold up goes on."""
        self._remove(self.faults)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<{len(self.faults)} faults set: {', '.join(map(repr, self.faults))}>"


class BrokerFaults:
    """`broker.faults`."""

    def __init__(self, run: RunIn) -> None:
        self._run = run

    def add(self, kind: str, **options: Unpack[FaultOptions]) -> SetFaults:
        """Have something go wrong: an `error` code, `latency`, a `stall`, a `drop` of the connection, a
        `torn` answer, `throttle`, `disk_full`, `disk_slow`, `move_coordinator`, `bump_epoch`, a `crash`.

        `api` (such as "Produce", or several), `client_id`, `topic`, `group` and `transactional_id` say whom
        it meets: names, or patterns with `*`. `skip` requests go by first; then it happens `count` times, or
        until it is removed, each time with `probability`, decided by `seed`. `error` is a name or number of
        Kafka's; `ms` how long something takes; `bytes` how much of a torn answer is sent; `when` is "before"
        or "after" the request took effect. docs/faults.md has what each kind takes.

        Raises:
            BadFault: the message says what to do.
        """

        async def work(broker: Broker) -> Fault:
            return await set_fault(broker, {"kind": kind, **options})

        return SetFaults([self._run(work)], self._remove)

    def scenario(self, name: str, **filters: Any) -> SetFaults:
        """Set the faults of a named scenario, such as "flaky coordinator", for a `topic`, a `group`, ...

        Raises:
            BadFault: the message says what to do.
        """
        return SetFaults(self._of(lambda faults: faults.start_scenario(name, filters)), self._remove)

    def list(self) -> list[dict[str, Any]]:
        """All faults that are set, with how often each happened; those that are used up, too."""
        return self._of(lambda faults: faults.described())

    def clear(self) -> None:
        """Remove all."""
        self._of(lambda faults: faults.clear())

    def _remove(self, removed: Sequence[Fault]) -> None:
        with contextlib.suppress(BrokerNotRunning):  # they went with it
            self._of(lambda faults: [faults.remove(fault.id) for fault in removed])

    def _of(self, work: Callable[[Faults], T]) -> T:
        async def run(broker: Broker) -> T:
            return work(broker.faults)

        return self._run(run)
