"""Random ends: of the server, by `kill -9` or cleanly, and of instances of an application, by `kill -9`."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from compat.exactly_once.application import Application
from compat.exactly_once.traffic import WAIT_S
from compat.server_process import ServerProcess


class Kills:
    """Who is ended when follows from the seed; how far they have come by then does not."""

    def __init__(self, server: ServerProcess, applications: Sequence[Application], seed: str) -> None:
        self._server = server
        self._applications = applications
        self._draw = random.Random(seed)
        self.server_kills = 0
        self.server_stops = 0
        self.instance_kills = 0

    def run(self, seconds: float, *, pause_s: float, stops: bool = False) -> None:
        """For so long, with at most `pause_s` between two; with `stops` the server also stops cleanly."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            time.sleep(self._draw.uniform(pause_s / 10, pause_s))
            hits_server, hits_instance = self._draw.choice([(True, False), (False, True), (True, True)])
            victim = self._draw.choice(self._applications)
            if hits_instance:
                victim.kill()
                self.instance_kills += 1
            if hits_server:
                self._end_server(is_clean=stops and self._draw.random() < 0.5)
                self._server.start()
            self.revive()

    def _end_server(self, *, is_clean: bool) -> None:
        if is_clean:
            self._server.stop()
            self.server_stops += 1
        else:
            self._server.kill()
            self.server_kills += 1

    def revive(self) -> None:
        """Start the instances that have ended."""
        for application in self._applications:
            application.revive()

    def until(self, is_done: Callable[[], bool]) -> None:
        """Nobody is ended any more: wait until the work is done. Raises TimeoutError with what was said."""
        end_s = time.monotonic() + WAIT_S
        while not is_done():
            if time.monotonic() > end_s:
                tails = "\n".join(each.said()[-1000:] + each.logged()[-2000:] for each in self._applications)
                raise TimeoutError(f"the applications do not come to an end:\n{tails}")
            time.sleep(0.1)
            self.revive()

    def told(self) -> str:
        """For a person."""
        stops = f" and stopped {self.server_stops}" if self.server_stops else ""
        return f"server killed {self.server_kills}{stops} times, instances killed {self.instance_kills} times"
