"""What a read_committed reader gets, worked out from Fetch as a client has to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kstream.records.batch import iter_headers
from kstream.records.record import iter_records
from kstream.testing.client import WireClient
from tests.requests import fetch_request

READ_COMMITTED = 1


class _Aborted(Protocol):
    """A transaction whose records a reader drops, as Fetch's answer has it and as the log does."""

    @property
    def producer_id(self) -> int: ...

    @property
    def first_offset(self) -> int: ...


Seen = tuple[int, bytes]
"""Offset and value."""


def committed_values(client: WireClient, topic: str, partition: int) -> list[bytes]:
    """The values of committed records up to the last stable offset, in order."""
    values: list[bytes] = []
    offset = 0
    while True:
        got, following = read_on(client, topic, partition, offset)
        if following == offset:
            return values
        values += [value for _, value in got]
        offset = following


def read_on(
    client: WireClient, topic: str, partition: int, offset: int, *, isolation_level: int = READ_COMMITTED
) -> tuple[list[Seen], int]:
    """What one Fetch from an offset shows, and the offset to go on from: the same at the end."""
    request = fetch_request(topic, offset, partition=partition)
    request.isolation_level = isolation_level
    found = client.request(request, 12).responses[0].partitions[0]
    assert found.error_code == 0, f"{topic}-{partition} at {offset}: error {found.error_code}"
    records = bytes(found.records or b"")
    if not records:
        assert isolation_level != READ_COMMITTED or offset == found.last_stable_offset
        return [], offset
    return visible_records(records, list(found.aborted_transactions or ()), offset)


def visible_records(records: bytes, aborted: Sequence[_Aborted], offset: int) -> tuple[list[Seen], int]:
    """The records from an offset on, and the offset behind the last batch.

    A producer's records are aborted from `first_offset` of its entry up to its next marker.
    """
    waiting = sorted(aborted, key=lambda each: each.first_offset)
    ignored: set[int] = set()
    seen: list[Seen] = []
    position = 0
    for header in iter_headers(records, partial_ok=True):
        while waiting and waiting[0].first_offset <= header.base_offset:
            ignored.add(waiting.pop(0).producer_id)
        if header.is_control:
            ignored.discard(header.producer_id)
        elif not (header.is_transactional and header.producer_id in ignored):
            batch = iter_records(records, position, header=header)
            seen += [
                (record.offset, bytes(record.value or b"")) for record in batch if record.offset >= offset
            ]
        position += header.size_bytes
        offset = header.next_offset
    return seen, offset
