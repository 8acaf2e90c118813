"""What clients say on stderr, and which of it trouble brings with it. Anything else is a finding."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

# How a client's line begins: librdkafka's level and time, Python's logging, Java's slf4j-simple. What begins
# otherwise goes on with a line before it, such as a traceback; a process that dies of one says so itself.
_HEAD = re.compile(r"%\d\||(WARNING|ERROR|CRITICAL) |\[.*\] (WARN|ERROR) ")

_EXPECTED = re.compile(
    "|".join(
        (
            # The server is away, and comes back.
            r"\|FAIL\||Connect|connect|ECONNREFUSED|reset by peer|socket|NodeNotReady|No node available",
            r"Unable to update metadata|Bootstrap|coordinator dead|coordinator not known|Cancelled",
            r"oordinator is loading|CoordinatorLoadInProgress",
            # A process stood still, or the machine was busy.
            r"\|REQTMOUT\||\|SESSTMOUT\||session expired|blocking the event loop|Timed? ?out",
            r"could not be completed before the consumer closed",
            # A rebalance has gone on without this member.
            r"is rebalancing|UnknownMemberId|was not recognized|not aware of this member|[Rr]ebalance",
            r"generation id is not|IllegalGeneration|Unclosed AIOKafkaConsumer",
            # A consumer of KIP-848 stood still until its group was a classic one again: fatal, as with Kafka.
            r"ConsumerGroupHeartbeat fatal error: Broker: The group id does not exist",
            # kafka-python's leader hears no generation with what the others own, so not who is late.
            r"is assigned to multiple consumers following sticky assignment generation -1",
        )
    )
)


def complaints(folder: Path) -> Iterator[str]:
    """Lines of the logs in a folder that nothing in a run explains."""
    for path in sorted(folder.glob("*.log")):
        for line in path.read_text(errors="replace").splitlines():
            if _HEAD.match(line) and not _EXPECTED.search(line):
                yield f"{path.stem} says: {line}"
