"""Who fetched what last: for people who ask why nothing arrives."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from kstream.broker.fetch_sessions import FetchedPartition

_KEPT_MAX = 2048


class LastFetch(NamedTuple):
    """The last fetch of one connection."""

    at_ms: int
    partitions: Collection[FetchedPartition]
    reads_committed: bool


class Fetches:
    """The last fetch of each connection, of as many as fetched last."""

    def __init__(self) -> None:
        self._last: dict[tuple[int, str | None], LastFetch] = {}

    def note(
        self,
        connection_id: int,
        client_id: str | None,
        partitions: Collection[FetchedPartition],
        now_ms: int,
        reads_committed: bool,
    ) -> None:
        """A connection fetches these partitions. HOT."""
        last = self._last
        last[(connection_id, client_id)] = LastFetch(now_ms, partitions, reads_committed)
        if len(last) > _KEPT_MAX:
            del last[next(iter(last))]

    def of_client(self, client_id: str) -> Iterator[LastFetch]:
        """Of every connection with this client id."""
        return (last for (_, client), last in self._last.items() if (client or "") == client_id)
