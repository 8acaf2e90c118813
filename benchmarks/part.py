"""How a part of the benchmark is declared.

A part is one file in `benchmarks/parts`, found there by itself, that ends with

    PARTS = [
        Part(
            name="heartbeats",
            doc="Heartbeats of 100 members, one connection each.",
            measures=(
                Measure("heartbeats", "requests/s", higher_is_better=True, goals=(Times(3.0, "kafka"),)),
                Measure("heartbeats-p99", "µs", higher_is_better=False),
            ),
            run=heartbeats,
        )
    ]

where `heartbeats` is a function of one turn of one started peer that returns a value for each measure:

    def heartbeats(turn: Turn) -> Values:
        with turn.topic(partitions=16) as topic:
            sample = turn.on_server("heartbeats", lambda: turn.load.produce(turn.bootstrap, topic, ...))
        return {"heartbeats": sample.records_per_second, "heartbeats-p99": sample.p99_us}

The peers take turns (A B A B), after a warm-up round that does not count. Medians, ratios, spreads, the JSON,
the tables, the goals and the plots follow from the declaration. What `run` raises is that peer's failure in
this part: it is reported with its message, and the peer is left out of the rest of the part; all other peers
and parts go on. Where it is kstream that fails, the rest of the part is left out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TypeVar

from benchmarks.goals import Goal
from benchmarks.load import Load
from benchmarks.peers import fresh_topic
from benchmarks.process_stats import cpu_seconds
from benchmarks.scale import Scale
from compat.server_process import ServerProcess

_Result = TypeVar("_Result")
Values = Mapping[str, float]


@dataclass(frozen=True)
class Measure:
    """One line of the tables. Names are unique over all parts: words with hyphens, the work first.

    `limit` names a measure of the part `machine`, a limit of which the value is shown as a share.
    `curve` and `at` make it one point of a plot: `curve` is the plot's name and `at` the place on its x axis.
    """

    name: str
    unit: str
    higher_is_better: bool
    goals: tuple[Goal, ...] = ()
    limit: str | None = None
    curve: str | None = None
    at: float | None = None


def curve(name: str, unit: str, points: tuple[int, ...], *, higher_is_better: bool) -> tuple[Measure, ...]:
    """Measures `name@point`, drawn as one line for each peer: how cost grows with what `name` ends in."""
    return tuple(Measure(f"{name}@{at}", unit, higher_is_better, curve=name, at=at) for at in points)


class Server(Enum):
    """What server a part wants for each turn."""

    SHARED = "shared"  # one that runs all along; leave it as it was found
    FRESH = "fresh"  # a new one for the turn, started, alone on the machine
    UNSTARTED = "unstarted"  # a new one, prepared and not launched, alone on the machine
    NONE = "none"  # no server: measures the machine, once a round


@dataclass
class Turn:
    """One turn of one peer: what a part has to work with."""

    peer: str
    load: Load
    scale: Scale
    folder: Path  # for the part's own files, on the disk that the servers use
    running: ServerProcess | None = None
    notes: dict[str, float] = field(default_factory=dict)  # the part's own, kept over its turns
    server_cpu: dict[str, float] = field(default_factory=dict)

    @property
    def server(self) -> ServerProcess:
        """The peer's process."""
        if self.running is None:
            raise RuntimeError("this part has no server")
        return self.running

    @property
    def bootstrap(self) -> str:
        """HOST:PORT of the peer."""
        return self.server.bootstrap

    @property
    def data_dir(self) -> Path:
        """Where the peer keeps its partitions."""
        return self.server.folder / "data"

    @contextmanager
    def topic(self, partitions: int = 1, **configs: str) -> Iterator[str]:
        """A new topic, deleted at the end. Configurations have `_` for each dot in their names."""
        named = {key.replace("_", "."): value for key, value in configs.items()}
        with fresh_topic(self.bootstrap, partitions, named) as name:
            yield name

    @contextmanager
    def beside(self, *works: Callable[[], object]) -> Iterator[None]:
        """Repeat each work in a thread of its own while the block runs; what they raise is raised."""
        ended = threading.Event()

        def repeat(work: Callable[[], object]) -> None:
            while not ended.is_set():
                work()

        with ThreadPoolExecutor(len(works)) as pool:
            running = [pool.submit(repeat, work) for work in works]
            try:
                yield
            finally:
                ended.set()
            for each in running:
                each.result()

    def on_server(self, measure: str, work: Callable[[], _Result]) -> _Result:
        """Do `work` and note the processor time that the server used for it, which goes into the JSON.

        That of a measure which is done in several parts adds up.
        """
        before = cpu_seconds(self.server.pid)
        result = work()
        used_s = cpu_seconds(self.server.pid) - before
        self.server_cpu[measure] = self.server_cpu.get(measure, 0.0) + used_s
        return result


@dataclass(frozen=True)
class Part:
    """One part; the module's text shows how it is used.

    `ceiling` does the same work against something that does next to nothing, and returns values of the same
    measures: the load generator's own limit. It takes its turn like a peer. `not_for` says why a peer is out.
    `rounds` bounds the alternations of a long part; `warms_up` is whether a round that does not count comes
    first, where servers run all along. `quick` says that it belongs to `--quick`. `settings` are a broker's,
    by Kafka's keys, for the servers that are started for this part alone.
    """

    name: str
    doc: str
    measures: tuple[Measure, ...]
    run: Callable[[Turn], Values]
    ceiling: Callable[[Turn], Values] | None = None
    server: Server = Server.SHARED
    rounds: int | None = None
    warms_up: bool = True
    not_for: Mapping[str, str] = field(default_factory=dict)
    quick: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
