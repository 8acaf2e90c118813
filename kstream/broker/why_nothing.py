"""Why nothing arrives at a group: from what is known of it to reasons, and what to do about each. Pure.

What is known may come from inside a broker or, with less of it, from any cluster over the protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

TopicPartition = tuple[str, int]

_STILL_FETCHES_MS = 5_000
"""A consumer that fetches does so again at least every `fetch.max.wait.ms`, by default half a second."""
_REBALANCING = ("preparingrebalance", "completingrebalance", "assigning", "reconciling")


class PartitionFacts(NamedTuple):
    """Where a partition begins and ends."""

    start: int
    end: int
    """The high watermark."""
    stable: int
    """The last stable offset."""


@dataclass
class MemberFacts:
    """One member of a group."""

    member_id: str
    client_id: str
    assigned: set[TopicPartition] = field(default_factory=set)
    subscribed: set[str] | None = None
    """None where it is not known."""
    fetched_ms_ago: dict[TopicPartition, int] | None = None
    """What it fetched, and how long ago; None where that is not known."""
    reads_committed: bool | None = None

    def __str__(self) -> str:
        return f"{self.client_id or 'a client'} ({self.member_id})"


@dataclass
class GroupFacts:
    """What is known of a group; `state` is empty if there is no such group."""

    group: str
    state: str
    members: list[MemberFacts] = field(default_factory=list)
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    partitions: dict[TopicPartition, PartitionFacts] = field(default_factory=dict)
    missing_topics: set[str] = field(default_factory=set)
    """Topics that the group, or whoever asks, means, and that are not there."""
    wanted_topics: set[str] = field(default_factory=set)
    """Topics that whoever asks is interested in; all if empty."""


class Finding(NamedTuple):
    """One reason, or one thing that is in order."""

    reason: str
    """`not_joined`, `rebalancing`, `topic_missing`, `not_subscribed`, `assigned_elsewhere`, `unassigned`,
    `at_end`, `beyond_end`, `open_transaction`, `retention_passed`, `no_position`, `paused`, `arriving`.
    """
    text: str
    topic: str | None = None
    partition: int | None = None


def explain(facts: GroupFacts) -> dict[str, Any]:
    """`group`, `state`, and `findings` as JSON has them."""
    return told(facts.group, facts.state, findings(facts))


def told(group: str, state: str, found: Iterable[Finding]) -> dict[str, Any]:
    """What was found of a group."""
    return {
        "group": group,
        "state": state or "unknown",
        "findings": [
            {name: value for name, value in finding._asdict().items() if value is not None}
            for finding in found
        ],
    }


def findings(facts: GroupFacts) -> Iterator[Finding]:
    """The reasons, those of the whole group first."""
    for topic in sorted(facts.missing_topics):
        yield Finding(
            "topic_missing", f"there is no topic {topic}: create it, or look at how its name is spelt", topic
        )
    if not facts.state or facts.state.lower() == "dead":
        yield Finding(
            "not_joined",
            f"there is no group {facts.group}: nobody has joined it or committed for it. Look at group.id and"
            " bootstrap.servers of the consumer, and whether it calls poll",
        )
        return
    if not facts.members:
        yield Finding(
            "not_joined",
            f"{facts.group} has no members now. A consumer joins while it polls; one that assigns partitions"
            " by hand never does",
        )
    elif facts.state.lower() in _REBALANCING:
        yield Finding(
            "rebalancing",
            f"{facts.group} is rebalancing ({facts.state}): it waits for all members to poll, at most for the"
            " longest max.poll.interval.ms",
        )
    yield from _assignment(facts)
    for key in sorted(facts.partitions):
        if not facts.wanted_topics or key[0] in facts.wanted_topics:
            yield from _partition(facts, key)


def _assignment(facts: GroupFacts) -> Iterator[Finding]:
    owners = {key: member for member in facts.members for key in member.assigned}
    for member in facts.members:
        if not member.assigned and owners:
            others = ", ".join(f"{topic}-{index}" for topic, index in sorted(owners)[:5])
            yield Finding(
                "assigned_elsewhere",
                f"{member} has no partition: {len(facts.members)} members share {len(owners)}, of which each"
                f" has one owner. Others have {others}",
            )
    subscribed = [member.subscribed for member in facts.members]
    if subscribed and None not in subscribed:
        all_topics = set().union(*(topics or () for topics in subscribed))
        for topic in sorted(facts.wanted_topics - all_topics - facts.missing_topics):
            yield Finding("not_subscribed", f"no member of {facts.group} subscribes to {topic}", topic)


def _partition(facts: GroupFacts, key: TopicPartition) -> Iterator[Finding]:
    known, position = facts.partitions[key], facts.positions.get(key)
    owner = next((member for member in facts.members if key in member.assigned), None)
    name = f"{key[0]}-{key[1]}"

    def found(reason: str, text: str) -> Finding:
        return Finding(reason, f"{name}: {text}", *key)

    if owner is None and facts.members:
        yield found("unassigned", "no member has it now")
    if position is None:
        yield from _without_position(found, known)
    elif position < known.start:
        yield found(
            "retention_passed",
            f"the group stands at {position}, but the log begins at {known.start}: retention or"
            f" DeleteRecords passed it. auto.offset.reset decides where it goes on; {known.start - position}"
            " records are gone",
        )
    elif position > known.end:
        yield found(
            "beyond_end",
            f"the group stands at {position}, behind the log's end at {known.end}: the topic was made anew."
            " auto.offset.reset decides where it goes on",
        )
    elif position == known.end:
        yield found(
            "at_end", f"the group has everything up to the end, {known.end}: nothing new was produced"
        )
    elif position >= known.stable and (owner is None or owner.reads_committed is not False):
        yield found(
            "open_transaction",
            f"{known.end - position} records wait behind a transaction that is open since offset"
            f" {known.stable}: who reads committed gets them once it ends, at the latest after its"
            " transaction.timeout.ms",
        )
    elif owner is not None:
        yield _waiting(found, owner, key, known.end - position)


def _without_position(found: Any, known: PartitionFacts) -> Iterator[Finding]:
    if known.start == known.end:
        yield found("at_end", "the group has committed nothing, and there is nothing in it")
    else:
        yield found(
            "no_position",
            f"the group has committed nothing, and {known.end - known.start} records are there: a consumer"
            " begins where auto.offset.reset says, which is the end unless set to earliest",
        )


def _waiting(found: Any, owner: MemberFacts, key: TopicPartition, count: int) -> Finding:
    fetched = owner.fetched_ms_ago
    if fetched is None:
        return found("arriving", f"{count} records wait for {owner}, if it polls")  # type: ignore[no-any-return]
    ago_ms = fetched.get(key)
    if ago_ms is None or ago_ms > _STILL_FETCHES_MS:
        since = "at all" if ago_ms is None else f"since {ago_ms / 1000:.0f} s"
        return found(  # type: ignore[no-any-return]
            "paused",
            f"{count} records wait, and {owner} has not fetched it {since}: it paused the partition, holds"
            " fetched records that it has not polled, or is busy with the last ones",
        )
    return found("arriving", f"{count} records wait, and {owner} fetches them")  # type: ignore[no-any-return]
