"""Named scenarios: faults that come together, and what a client should make of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from kstream.faults.fault import BadFault
from kstream.faults.kinds import OPTIONS, Kind


class Scenario(NamedTuple):
    """`docs/faults.md` tells the same."""

    name: str
    summary: str
    """What happens."""
    expected: str
    """What a client should do."""
    faults: tuple[Mapping[str, Any], ...]

    def bodies(self, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The faults, each with the filters that its kind takes.

        Raises BadFault: none of them takes one.
        """
        known = set().union(*(OPTIONS[Kind(fault["kind"])].takes for fault in self.faults))
        for name in filters:
            if name not in known | {"seed"}:
                raise BadFault(f"nothing in {self.name!r} can be told {name}")
        return [
            dict(fault)
            | {
                name: value
                for name, value in filters.items()
                if name == "seed" or name in OPTIONS[Kind(fault["kind"])].takes
            }
            for fault in self.faults
        ]

    def describe(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "name": self.name,
            "summary": self.summary,
            "expected": self.expected,
            "faults": [dict(fault) for fault in self.faults],
        }


_GROUP_APIS = ["JoinGroup", "SyncGroup", "Heartbeat", "OffsetCommit", "ConsumerGroupHeartbeat"]

SCENARIOS = (
    Scenario(
        "flaky coordinator",
        "One in four requests to a group coordinator is answered with NOT_COORDINATOR.",
        "Look for the coordinator again and repeat the request. No record is skipped, no member leaves.",
        ({"kind": "error", "api": _GROUP_APIS, "error": "NOT_COORDINATOR", "probability": 0.25},),
    ),
    Scenario(
        "coordinator moves during commit",
        "The coordinator of the group moves when an offset commit arrives, and is there again after 200 ms.",
        "Find the coordinator, join again if it asks for that, repeat the commit.",
        ({"kind": "move_coordinator", "api": "OffsetCommit", "count": 1, "ms": 200},),
    ),
    Scenario(
        "broker restart during commit",
        "The broker crashes when an offset commit has taken effect and is not answered; it is back at once.",
        "Connect again and repeat the commit. What was committed is committed; doing it twice does no harm.",
        ({"kind": "crash", "api": ["OffsetCommit"], "when": "after", "count": 1},),
    ),
    Scenario(
        "broker restart during produce",
        "The broker crashes when a batch is written and not acknowledged; it is back at once.",
        "An idempotent producer sends the batch again, and it is in the log once; another one may double it.",
        ({"kind": "crash", "api": ["Produce"], "when": "after", "count": 1},),
    ),
    Scenario(
        "lost acknowledgements",
        "One in five produce requests takes effect, and the connection is closed in place of the answer.",
        "With enable.idempotence every record is there once, in order. Without it, records come twice.",
        ({"kind": "drop", "api": "Produce", "when": "after", "probability": 0.2},),
    ),
    Scenario(
        "leader election",
        "With the first request partitions get a new leader epoch, and say once that they are led elsewhere.",
        "Fetch metadata again and go on where it was, without going back or losing records.",
        (
            {"kind": "bump_epoch", "api": ["Produce", "Fetch"], "count": 1},
            {"kind": "error", "api": ["Produce", "Fetch"], "error": "NOT_LEADER_OR_FOLLOWER", "count": 1},
        ),
    ),
    Scenario(
        "slow broker",
        "Every request of a producer or consumer takes 300 ms longer, and appends and reads 100 ms more.",
        "Batches grow, nothing times out at the default settings, nothing is sent twice.",
        (
            {"kind": "latency", "api": ["Produce", "Fetch"], "ms": 300},
            {"kind": "disk_slow", "ms": 100},
        ),
    ),
    Scenario(
        "hanging broker",
        "Produce and fetch requests are taken and not answered, for as long as the scenario lasts.",
        "Requests time out (request.timeout.ms, socket.timeout.ms); the client connects again, and says so.",
        ({"kind": "stall", "api": ["Produce", "Fetch"]},),
    ),
    Scenario(
        "full disk",
        "Nothing can be written to the logs.",
        "Producing fails with KAFKA_STORAGE_ERROR, is retried until delivery.timeout.ms, then told to the"
        " application. Consuming goes on.",
        ({"kind": "disk_full"},),
    ),
    Scenario(
        "over quota",
        "Every answer to a producer and consumer says that it is throttled for a second.",
        "Wait. Nothing fails, nothing is lost; the throttle time is in the client's metrics.",
        ({"kind": "throttle", "api": ["Produce", "Fetch"], "ms": 1000},),
    ),
    Scenario(
        "bad network",
        "One in twenty connections breaks before a request, one in twenty within the answer to one.",
        "Connect again and go on; an idempotent producer and a consumer lose nothing.",
        (
            {"kind": "drop", "when": "before", "probability": 0.05},
            {"kind": "torn", "probability": 0.05},
        ),
    ),
    Scenario(
        "fenced transaction",
        "The end of a transaction is answered with INVALID_PRODUCER_EPOCH, as if another producer had taken"
        " the transactional id.",
        "The producer is of no use any more: close it, and begin again with a new one. Nothing of the"
        " transaction is seen by who reads committed.",
        ({"kind": "error", "api": "EndTxn", "error": "INVALID_PRODUCER_EPOCH", "count": 1},),
    ),
)


def scenario(name: str) -> Scenario:
    """By its name; dashes and underscores count as spaces. Raises BadFault."""
    wanted = " ".join(name.replace("-", " ").replace("_", " ").lower().split())
    for each in SCENARIOS:
        if each.name == wanted:
            return each
    raise BadFault(f"there is no scenario {name!r}: {', '.join(each.name for each in SCENARIOS)}")


def described() -> list[dict[str, Any]]:
    """All scenarios, as JSON has them."""
    return [each.describe() for each in SCENARIOS]
