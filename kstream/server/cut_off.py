"""The end of a connection that somebody asked for."""

from __future__ import annotations

from collections.abc import Sequence

from kstream.wire.codec import Part


class CutOff(Exception):
    """Close the connection once `parts` are sent, which need not be a whole answer."""

    def __init__(self, reason: str, parts: Sequence[Part] = ()) -> None:
        super().__init__(reason)
        self.parts = list(parts)
