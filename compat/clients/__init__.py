"""The clients that tell the story, by name. Each is imported, or built, only when it is asked for."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import cast

from compat.builds import built
from compat.clients.programs import PROGRAMS
from compat.clients.remote import Remote
from compat.story import Adapter, Traits

CLIENTS = ("confluent-kafka", "kafka-python", "aiokafka", "kcat")
"""Those that need no more than this Python, and kcat: pytest has them tell the story, too."""


def adapter(client: str, bootstrap: str) -> Adapter:
    """The client of that name, pointed at `bootstrap` (HOST:PORT). Raises ClientMissing, BuildFailed."""
    if client in PROGRAMS:
        return Remote(client, traits(client), built(PROGRAMS[client].language, client), bootstrap)
    return cast(Adapter, _module(client).connect(bootstrap))


def traits(client: str) -> Traits:
    """What that client cannot do; it need not be installed."""
    if client in PROGRAMS:
        return PROGRAMS[client].traits
    return cast(Traits, _module(client).TRAITS)


def _module(client: str) -> ModuleType:
    return importlib.import_module(f"compat.clients.{client.replace('-', '_')}")
