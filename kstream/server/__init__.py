"""Listeners, connections and dispatch: the broker on the network."""

from kstream.server.serve import serve

__all__ = ["serve"]
