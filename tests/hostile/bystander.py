"""Who is served while others misbehave."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from kstream.records.record import iter_records
from kstream.testing.client import WireClient
from kstream.wire.messages.api_versions import ApiVersionsRequest
from tests.requests import batches, create_topic, fetch, produce, values_batch

_numbers = count()


class Bystander:
    """A polite client on a connection and a topic of its own."""

    def __init__(self, host: str, port: int) -> None:
        self.topic = f"bystander-{next(_numbers)}"
        self.client = WireClient(host, port)
        assert create_topic(self.client, self.topic).error_code == 0
        self.check()

    def ping(self) -> None:
        """The server answers us at all."""
        assert self.client.request(ApiVersionsRequest(), 0).error_code == 0

    def check(self) -> None:
        """A record goes in, and comes out as it went in."""
        values = [b"still", b"here"]
        produced = produce(self.client, self.topic, values_batch(values))
        assert produced.error_code == 0
        fetched = fetch(self.client, self.topic, produced.base_offset)
        assert fetched.error_code == 0
        (batch,) = batches(fetched.records)
        assert [record.value for record in iter_records(batch)] == values

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()


def anonymous_bytes(pid: int) -> int:
    """The anonymous memory of a process (RssAnon): what it allocated, without files that are mapped."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no RssAnon")
