"""Carry parts out: peers in turn, a warm-up first, and every value told as it is taken."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.goals import CEILING, KSTREAM, MACHINE
from benchmarks.load import Load
from benchmarks.measures import Results
from benchmarks.part import Part, Server, Turn, Values
from benchmarks.peers import CANNOT_START, server
from benchmarks.scale import Scale
from benchmarks.settle import settle
from compat.server_process import ServerProcess


@dataclass
class Run:
    """One run: generator, scale, folder for the servers, results, and who failed at what."""

    load: Load
    scale: Scale
    folder: Path
    results: Results
    peers: Sequence[str]
    missing: dict[str, str] = field(default_factory=dict)  # peer -> why it could not be started
    failed: dict[str, dict[str, str]] = field(default_factory=dict)  # part -> peer -> what it failed with
    seconds: dict[str, float] = field(default_factory=dict)  # part -> how long it took
    _notes: dict[str, dict[str, float]] = field(default_factory=dict)

    def measure(self, parts: Sequence[Part]) -> None:
        """Run the parts. Those with shared servers come first; for the others no other server runs."""
        with ExitStack() as stack:
            servers: dict[str, ServerProcess] = {}
            if any(part.server is Server.SHARED for part in parts):
                for peer in self.peers:
                    with self._startable(peer):
                        servers[peer] = stack.enter_context(server(peer, self.folder))
            for part in parts:
                if part.server is Server.SHARED:
                    self._alternate(part, servers)
        for part in parts:
            if part.server is not Server.SHARED:
                self._alternate(part, {})

    @contextmanager
    def _startable(self, peer: str) -> Iterator[None]:
        try:
            yield
        except CANNOT_START as error:
            self.missing[peer] = _reason(error)
            say(f"{peer} cannot be started: {_reason(error)}")

    def _alternate(self, part: Part, servers: dict[str, ServerProcess]) -> None:
        began = time.monotonic()
        rounds = min(self.scale.alternations, part.rounds or self.scale.alternations)
        failed = self.failed.setdefault(part.name, dict(part.not_for))
        has_warm_up = part.warms_up and part.server is Server.SHARED and self.scale.name != "quick"
        for number in range(0 if has_warm_up else 1, rounds + 1):
            say(f"{part.name}: {'warm-up' if number == 0 else f'{number} of {rounds}'}")
            for peer in self._turns(part):
                # Where kstream failed there is nothing to compare.
                if failed.keys().isdisjoint((peer, KSTREAM)) and peer not in self.missing:
                    self._turn(part, peer, servers.get(peer), counts=number > 0)
        self.seconds[part.name] = time.monotonic() - began

    def _turns(self, part: Part) -> list[str]:
        if part.server is Server.NONE:
            return [MACHINE]
        return [*self.peers, *([CEILING] if part.ceiling else [])]

    def _turn(self, part: Part, peer: str, running: ServerProcess | None, *, counts: bool) -> None:
        settle(self.scale.settle_bytes if part.server is Server.SHARED else 0)
        notes = self._notes.setdefault(part.name, {})
        turn = Turn(peer, self.load, self.scale, self.folder, notes=notes)
        try:
            with ExitStack() as stack:
                if peer not in (CEILING, MACHINE):
                    turn.running = running or stack.enter_context(
                        closing(server(peer, self.folder, part.settings))
                    )
                    if part.server is Server.FRESH:
                        turn.running.start()
                    if part.server is Server.UNSTARTED:
                        turn.running.prepare()
                work: Callable[[Turn], Values] = part.run
                if peer == CEILING and part.ceiling is not None:
                    work = part.ceiling
                values = work(turn)
        except Exception as error:  # whatever a part raises: the others go on, and what was taken is kept
            reason = _reason(error)
            self.failed[part.name][peer] = reason
            say(f"  {peer:8} cannot do it: {reason}")
            return
        self._take(part, turn, values, counts=counts)

    def _take(self, part: Part, turn: Turn, values: Values, *, counts: bool) -> None:
        units = {measure.name: measure.unit for measure in part.measures}
        for name, value in values.items():
            note = "" if counts else "  (warm-up, not counted)"
            say(f"  {turn.peer:8} {name:24} {value:14,.1f} {units[name]}{note}")
            if counts:
                self.results.add(name, turn.peer, value, server_cpu_seconds=turn.server_cpu.get(name))


def _reason(error: Exception) -> str:
    """What an exception says, or what it is where it says nothing."""
    return str(error) or type(error).__name__


def say(line: str) -> None:
    """Progress, on stderr."""
    print(line, file=sys.stderr, flush=True)
