"""The clients that tell the story, by name. Each is imported only when it is asked for."""

from __future__ import annotations

import importlib
from typing import cast

from compat.story import Adapter

CLIENTS = ("confluent-kafka", "kafka-python", "aiokafka", "kcat")


def adapter(client: str, bootstrap: str) -> Adapter:
    """The client of that name, pointed at `bootstrap` (`host:port`). Raises `ClientMissing`."""
    if client not in CLIENTS:
        raise ValueError(f"unknown client {client!r}; there are {', '.join(CLIENTS)}")
    module = importlib.import_module(f"compat.clients.{client.replace('-', '_')}")
    return cast(Adapter, module.connect(bootstrap))
