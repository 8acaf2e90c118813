"""The faults that are set in a broker now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Unpack

from kstream.faults.fault import BadFault, Fault, FaultOptions, Seen
from kstream.faults.kinds import Kind
from kstream.faults.scenarios import scenario

_FAULTS_MAX = 1000


class Faults:
    """Added, asked and removed in the thread of the broker. Those that are used up stay listed."""

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._last_id = 0
        self._listeners: list[Callable[[], None]] = []
        self._requests: list[Fault] = []
        self._disk: list[Fault] = []

    def add(self, kind: str, **options: Unpack[FaultOptions]) -> Fault:
        """Set a fault.

        `api` (a name, or several), `client_id`, `topic`, `group` and `transactional_id` say whom it meets:
        names, or patterns with `*`. `skip` requests go by first; then it happens `count` times, or always,
        each time with `probability`, decided by `seed`. `error`, `ms`, `bytes` and `when` are for some kinds
        (`kstream.faults.kinds`).

        Raises BadFault.
        """
        return self.add_described({"kind": kind, **options})

    def add_described(self, described: dict[str, Any]) -> Fault:
        """As `add`, from what JSON has. An event that no API sets off is to be had by `broker.fault_events`.

        Raises BadFault.
        """
        if len(self._faults) >= _FAULTS_MAX:
            raise BadFault(f"there are {_FAULTS_MAX} faults already: clear some")
        if not isinstance(described, dict):
            raise BadFault('a fault is an object such as {"kind": "latency", "api": "Fetch", "ms": 100}')
        fault = Fault(self._last_id + 1, described)
        self._last_id = fault.id
        self._faults[fault.id] = fault
        self._changed()
        return fault

    def start_scenario(self, name: str, filters: dict[str, Any] | None = None) -> list[Fault]:
        """Set the faults of a named scenario, each with the given filters (`topic`, `group`, ...).

        Raises BadFault: no such scenario, or a filter that one of its faults cannot take; then none is set.
        """
        bodies = scenario(name).bodies(filters or {})
        for body in bodies:
            Fault(0, body)
        return [self.add_described(body) for body in bodies]

    def all(self) -> list[Fault]:
        """In the order in which they were added."""
        return list(self._faults.values())

    def described(self) -> list[dict[str, Any]]:
        """As JSON has them."""
        return [fault.describe() for fault in self._faults.values()]

    def remove(self, fault_id: int) -> bool:
        """Remove one; what it holds up goes on. Whether it was there."""
        fault = self._faults.pop(fault_id, None)
        if fault is None:
            return False
        fault.is_removed = True
        self._changed()
        return True

    def clear(self) -> int:
        """Remove all; how many there were."""
        count = len(self._faults)
        for fault in self._faults.values():
            fault.is_removed = True
        self._faults.clear()
        self._changed()
        return count

    # For those who carry them out

    def successor(self) -> Faults:
        """The same faults for a broker that takes over, which nobody listens to yet."""
        other = Faults()
        other._faults, other._last_id = self._faults, self._last_id
        other._changed()
        return other

    @property
    def meets_requests(self) -> bool:
        """Whether requests must be looked at."""
        return bool(self._requests)

    @property
    def meets_disk(self) -> bool:
        """Whether what logs do must be looked at."""
        return bool(self._disk)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call when faults were added, removed or used up."""
        self._listeners.append(listener)

    def take(self, seen: Seen) -> list[Fault]:
        """Those that happen to a request."""
        taken = [fault for fault in self._requests if fault.meets(seen)]
        if any(not fault.is_active for fault in taken):
            self._changed()
        return taken

    def take_disk(self, kind: Kind, topic: str) -> Iterator[Fault]:
        """Those of a kind that happen to a topic's log, which may be in a thread."""
        return (fault for fault in self._disk if fault.kind is kind and fault.meets_log(topic))

    def _changed(self) -> None:
        active = [fault for fault in self._faults.values() if fault.is_active and not fault.is_immediate]
        self._requests = [fault for fault in active if not fault.is_of_disk]
        self._disk = [fault for fault in active if fault.is_of_disk]
        for listener in self._listeners:
            listener()
