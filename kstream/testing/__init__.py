"""For tests: a broker inside the process, and a client that sends whatever bytes a test wants.

Names are imported when they are first used, so that pytest, which loads the plugin in every run, waits for
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kstream.testing.broker import Broker

__all__ = ["Broker"]


def __getattr__(name: str) -> Any:
    if name == "Broker":
        from kstream.testing.broker import Broker

        return Broker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
