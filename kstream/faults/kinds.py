"""The kinds of faults, and what each can be told.

| kind | what happens |
|---|---|
| `error` | the answer has this error code; `before`: nothing else was done; `after`: everything was |
| `latency` | the request waits for `ms` before it is looked at |
| `stall` | the request waits until the fault is removed, or for `ms` |
| `drop` | the connection closes before the request is looked at, or in place of the answer |
| `torn` | the request is carried out, and the connection closes after `bytes` of the answer |
| `throttle` | the client is told that it is throttled for `ms`, and not listened to for so long |
| `disk_full` | what is written to a log finds no space |
| `disk_slow` | each append, read and sync of a log takes `ms` longer |
| `move_coordinator` | a group or transactional id gets a new coordinator, which is there after `ms` |
| `bump_epoch` | the partitions of a topic get a new leader epoch |
| `crash` | the server loses what it has in memory, without any goodbye, and is back after `ms` |
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What goes wrong."""

    ERROR = "error"
    LATENCY = "latency"
    STALL = "stall"
    DROP = "drop"
    TORN = "torn"
    THROTTLE = "throttle"
    DISK_FULL = "disk_full"
    DISK_SLOW = "disk_slow"
    MOVE_COORDINATOR = "move_coordinator"
    BUMP_EPOCH = "bump_epoch"
    CRASH = "crash"


class Options(NamedTuple):
    """What a kind of fault takes beside what all of them take."""

    needs: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()
    is_of_disk: bool = False
    """Whether it meets writes and reads of logs; otherwise it meets requests."""
    is_event: bool = False
    """Whether it happens by itself, once and at once, where no API is named."""


_REQUEST = frozenset({"api", "client_id", "topic", "group", "transactional_id"})
_DISK = frozenset({"topic"})


def _options(*needs: str, **more: bool) -> Options:
    return Options(frozenset(needs), _REQUEST, **more)


OPTIONS: dict[Kind, Options] = {
    Kind.ERROR: Options(frozenset({"error"}), _REQUEST | {"when"}),
    Kind.LATENCY: _options("ms"),
    Kind.STALL: Options(takes=_REQUEST | {"ms"}),
    Kind.DROP: Options(takes=_REQUEST | {"when"}),
    Kind.TORN: Options(takes=_REQUEST | {"bytes"}),
    Kind.THROTTLE: _options("ms"),
    Kind.DISK_FULL: Options(takes=_DISK, is_of_disk=True),
    Kind.DISK_SLOW: Options(frozenset({"ms"}), _DISK, is_of_disk=True),
    Kind.MOVE_COORDINATOR: Options(takes=_REQUEST | {"ms", "when"}, is_event=True),
    Kind.BUMP_EPOCH: Options(takes=_REQUEST | {"when"}, is_event=True),
    Kind.CRASH: Options(takes=_REQUEST | {"ms", "when"}, is_event=True),
}
