"""The clients that tell the story, by name. Each is imported only when it is asked for."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import cast

from compat.story import Adapter, Traits

CLIENTS = ("confluent-kafka", "kafka-python", "aiokafka", "kcat", "kafka-clients")
NEED_JAVA = frozenset({"kafka-clients"})


def adapter(client: str, bootstrap: str) -> Adapter:
    """The client of that name, pointed at `bootstrap` (`host:port`). Raises `ClientMissing`."""
    return cast(Adapter, _module(client).connect(bootstrap))


def traits(client: str) -> Traits:
    """What that client cannot do; it need not be installed."""
    return cast(Traits, _module(client).TRAITS)


def _module(client: str) -> ModuleType:
    if client not in CLIENTS:
        raise ValueError(f"unknown client {client!r}; there are {', '.join(CLIENTS)}")
    return importlib.import_module(f"compat.clients.{client.replace('-', '_')}")
