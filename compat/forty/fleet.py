"""The consumers, and what befalls them.

All that happens is drawn from a seed before it begins: when each consumer starts, crashes (SIGKILL), stands
still (SIGSTOP, often beyond its session's end), leaves (SIGTERM) and comes back, and when the server is
killed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from compat.builds import built

_ROOT = Path(__file__).parents[2]
_UP_S = 25.0  # on average, between two things that happen to a consumer
_DOWN_S = (0.2, 5.0)
_STILL_S = (0.5, 10.0)
_LEAVE_S = 40.0


@dataclass(frozen=True)
class Kind:
    """One kind of consumer: a client with a protocol and an assignor of classic groups."""

    client: str
    protocol: str = "classic"
    assignor: str = "range"


_COOPERATIVE = "cooperative-sticky"
GROUPS: Mapping[str, Sequence[tuple[int, Kind]]] = {
    "eager": (
        (4, Kind("librdkafka")),
        (2, Kind("java")),
        (6, Kind("aiokafka")),
        (5, Kind("kafka-python")),
    ),
    # librdkafka's own, since it keeps something else in its members' metadata than the Java client does.
    "cooperative-rd": ((4, Kind("librdkafka", assignor=_COOPERATIVE)),),
    "cooperative": (
        (1, Kind("java", assignor=_COOPERATIVE)),
        (3, Kind("kafka-python", assignor=_COOPERATIVE)),
    ),
    "consumer": ((5, Kind("librdkafka", "consumer")), (3, Kind("java", "consumer"))),
    # Both protocols in one group: it migrates while its members stay.
    "mixed": (
        (2, Kind("librdkafka")),
        (2, Kind("librdkafka", "consumer")),
        (1, Kind("java")),
        (1, Kind("java", "consumer")),
        (1, Kind("kafka-python")),
    ),
}
"""Forty consumers; each group reads a topic of its own name."""


class Place:
    """A place in a group, which one process after the other takes."""

    def __init__(self, name: str, group: str, kind: Kind, folder: Path) -> None:
        self.name = name
        self.group = group
        self.kind = kind
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.lives = 0

    def start(self, bootstrap: str) -> None:
        """A new process takes it, unless one has it."""
        if self._process is not None and self._process.poll() is None:
            return
        self.lives += 1
        path = f"{self._folder}/{self.name}-{self.lives}"
        history = f"{path}.jsonl"
        kind = self.kind
        if kind.client == "java":
            said = [bootstrap, self.group, self.group, kind.protocol, kind.assignor, history]
            command = [*built("java", "group-consumer"), *said]
        else:
            wanted = {
                "client": kind.client,
                "bootstrap": bootstrap,
                "topic": self.group,
                "group": self.group,
                "protocol": kind.protocol,
                "assignor": kind.assignor,
                "history": history,
            }
            command = [sys.executable, "-m", "compat.forty.consumer", json.dumps(wanted)]
        with Path(f"{path}.log").open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=_ROOT
            )

    def crash(self) -> None:
        """SIGKILL."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def stand_still(self) -> None:
        """SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def leave(self) -> None:
        """SIGTERM."""
        self._signal(signal.SIGTERM)

    def wait_left(self) -> bool:
        """Whether it has left by itself; it is killed if not."""
        if self._process is None:
            return True
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_LEAVE_S)
            return True
        self.crash()
        return False

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, number)


@dataclass(frozen=True, order=True)
class Happening:
    """What befalls a place (-1: the server), at a time from the beginning."""

    at_s: float
    place: int
    what: str


def script(seed: int, places: int, seconds: float, server_kills: int) -> list[Happening]:
    """All that will happen, in order."""
    chance = random.Random(seed)
    happenings = []
    for place in range(places):
        at_s = chance.uniform(0, 3)
        happenings.append(Happening(at_s, place, "start"))
        while (at_s := at_s + chance.expovariate(1 / _UP_S)) < seconds:
            what = chance.choices(["crash", "stand_still", "leave"], [4, 3, 3])[0]
            happenings.append(Happening(at_s, place, what))
            if what == "stand_still":
                at_s += chance.uniform(*_STILL_S)
                happenings.append(Happening(at_s, place, "go_on"))
            else:
                at_s += chance.uniform(*_DOWN_S)
                happenings.append(Happening(at_s, place, "start"))
    happenings += [Happening(chance.uniform(0.2, 0.95) * seconds, -1, "kill") for _ in range(server_kills)]
    return sorted(happenings)
