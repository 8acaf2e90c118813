"""Why nothing arrives at a share group: what `why_nothing` is for groups that share partitions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from kstream.broker.why_nothing import Finding, TopicPartition
from kstream.wire.messages.share_group_describe import Member


class ShareFacts(NamedTuple):
    """Of one partition. None is what is not known from outside a broker."""

    lag: int | None
    """Records that are not done with; None if the group has not begun with it."""
    in_flight: int | None = None
    scheduled: int | None = None
    is_full: bool = False
    """Whether the window takes no more."""
    is_behind_transaction: bool = False


@dataclass
class ShareGroupFacts:
    """What is known of a share group."""

    group: str
    state: str
    subscribed: list[set[str]] = field(default_factory=list)
    """Of each member."""
    readers: dict[TopicPartition, int] = field(default_factory=dict)
    partitions: dict[TopicPartition, ShareFacts] = field(default_factory=dict)
    missing_topics: set[str] = field(default_factory=set)
    wanted_topics: set[str] = field(default_factory=set)
    """Topics that whoever asks is interested in; all if empty."""

    def add_members(self, members: Iterable[Member]) -> None:
        """What each subscribes to and reads."""
        for member in members:
            self.subscribed.append(set(member.subscribed_topic_names))
            for topic in member.assignment.topic_partitions:
                for index in topic.partitions:
                    key = (topic.topic_name, index)
                    self.readers[key] = self.readers.get(key, 0) + 1

    @property
    def meant_topics(self) -> set[str]:
        """Topics that the group, or whoever asks, means."""
        return self.wanted_topics.union(*self.subscribed)


def share_findings(facts: ShareGroupFacts) -> Iterator[Finding]:
    """The reasons, those of the whole group first. Besides those of `Finding`: `in_flight`, `scheduled`,
    `window_full`.
    """
    for topic in sorted(facts.missing_topics):
        yield Finding(
            "topic_missing", f"there is no topic {topic}: create it, or look at how its name is spelt", topic
        )
    if not facts.subscribed:
        yield Finding(
            "not_joined", f"{facts.group} has no members now. A share consumer joins while it polls"
        )
    else:
        for topic in sorted(facts.wanted_topics - set().union(*facts.subscribed) - facts.missing_topics):
            yield Finding("not_subscribed", f"no member of {facts.group} subscribes to {topic}", topic)
    for key in sorted({*facts.partitions, *facts.readers}):
        if not facts.wanted_topics or key[0] in facts.wanted_topics:
            yield from _partition(facts, key)


def _partition(facts: ShareGroupFacts, key: TopicPartition) -> Iterator[Finding]:
    known, readers = facts.partitions.get(key, ShareFacts(None)), facts.readers.get(key, 0)
    name = f"{key[0]}-{key[1]}"

    def found(reason: str, text: str) -> Finding:
        return Finding(reason, f"{name}: {text}", *key)

    if facts.subscribed and not readers:
        yield found("unassigned", "no member reads it now")
    if known.lag is None:
        yield found(
            "no_position",
            "the group has not begun with it. share.auto.offset.reset of the group decides where it will,"
            " which is the end unless set to earliest",
        )
        return
    if not known.lag:
        yield found("at_end", "the group is done with everything: nothing new was produced")
        return
    in_flight, scheduled = known.in_flight or 0, known.scheduled or 0
    if in_flight:
        yield found(
            "in_flight",
            f"{in_flight} records are with members that have not acknowledged them: they come again when they"
            " are released, or once share.record.lock.duration.ms is over",
        )
    if scheduled:
        yield found(
            "scheduled",
            f"{scheduled} records wait for their time: delayed, or held back after a failure",
        )
    left = known.lag - in_flight - scheduled
    if left <= 0:
        return
    if known.is_full:
        yield found(
            "window_full",
            f"{left} more records wait until the first ones are done with: the group has as many begun as"
            " share.partition.max.record.locks lets it",
        )
    elif known.is_behind_transaction:
        yield found(
            "open_transaction",
            f"{left} records wait behind a transaction that is open: who reads committed gets them once it"
            " ends, at the latest after its transaction.timeout.ms",
        )
    elif readers:
        yield found("arriving", f"{left} records wait for its {readers} readers, if these poll")
