"""What can go wrong between two places, said so that whoever reads it knows what to do."""

from __future__ import annotations

from kstream.errors import KstreamError


class ReplayError(KstreamError):
    """A source, a target or a range that cannot be used; the message says why."""


class NoAnswer(ReplayError):
    """Nobody is there, or not a Kafka server."""

    def __init__(self, bootstrap: str, reason: str) -> None:
        super().__init__(f"no answer from {bootstrap}: {reason}; is a server running there?")


class Refused(ReplayError):
    """The cluster understood and said no."""
