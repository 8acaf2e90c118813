"""What the routes work with: one running server."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

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
