"""What the routes work with: one running server."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from kstream.broker.broker import Broker
from kstream.testing.clock import TestingClock
from kstream.web.loop_delay import LoopDelay


@dataclass(frozen=True)
class Running:
    """A broker that serves clients, in whose event loop the routes run too."""

    broker: Broker
    clock: TestingClock
    addresses: list[str]
    loop_delay: LoopDelay = field(default_factory=LoopDelay)
    began_s: float = field(default_factory=time.time)
    _folder: list[tempfile.TemporaryDirectory[str]] = field(default_factory=list)

    def folder(self, name: str) -> Path:
        """A folder that is removed when the server stops; made when it is first asked for."""
        if not self._folder:
            self._folder.append(tempfile.TemporaryDirectory(prefix="kstream-http-"))
        path = Path(self._folder[0].name) / name
        path.mkdir(exist_ok=True)
        return path

    def close(self) -> None:
        """Remove the folders."""
        for folder in self._folder:
            folder.cleanup()
