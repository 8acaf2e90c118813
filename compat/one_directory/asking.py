"""One connection to a server, and the questions that are asked again and again."""

from __future__ import annotations

from typing import Any

from compat.server_process import ServerProcess
from kstream.errors import ErrorCode
from kstream.testing.client import WireClient
from kstream.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from kstream.wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from kstream.wire.schema import Message, Struct

_PASSING = {
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.LEADER_NOT_AVAILABLE,
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_COORDINATOR,
    ErrorCode.CONCURRENT_TRANSACTIONS,
    ErrorCode.OFFSET_NOT_AVAILABLE,
}
"""Errors that pass by themselves, while a server that was just started loads."""
_ATTEMPTS_MAX = 2000


class Asking:
    """Asks one server; calls return its answers."""

    def __init__(self, server: ServerProcess) -> None:
        self._client = WireClient(*server.address, timeout_s=60.0)

    def __call__(self, message: Message, version: int) -> Any:
        """The answer, once there is one without an error that passes by itself."""
        for _ in range(_ATTEMPTS_MAX):
            answer = self._client.request(message, version)
            if _errors(answer).isdisjoint(_PASSING):
                return answer
        raise TimeoutError(f"{type(message).__name__} is still answered {answer}")

    def offset(self, topic: str, index: int, timestamp_ms: int, isolation_level: int = 0) -> int:
        """What ListOffsets answers for a time or one of its special values."""
        wanted = ListOffsetsPartition(partition_index=index, timestamp=timestamp_ms)
        request = ListOffsetsRequest(
            replica_id=-1,
            isolation_level=isolation_level,
            topics=[ListOffsetsTopic(name=topic, partitions=[wanted])],
        )
        return int(self(request, 7).topics[0].partitions[0].offset)

    def close(self) -> None:
        self._client.close()


def fetch_partition(asking: Asking, topic: str, index: int, offset: int) -> Any:
    """A partition's part of Fetch, as a read_committed reader gets it."""
    wanted = FetchPartition(partition=index, fetch_offset=offset, partition_max_bytes=1 << 20)
    request = FetchRequest(
        max_wait_ms=0,
        min_bytes=1,
        max_bytes=1 << 26,
        isolation_level=1,
        topics=[FetchTopic(topic=topic, partitions=[wanted])],
    )
    return asking(request, 12).responses[0].partitions[0]


def _errors(answer: Any) -> set[int]:
    """All error codes in an answer, at any depth."""
    found: set[int] = set()
    waiting: list[Any] = [answer]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, Struct):
            waiting += [getattr(each, field.name) for field in type(each).__fields__]
            found.add(getattr(each, "error_code", 0))
    return found
