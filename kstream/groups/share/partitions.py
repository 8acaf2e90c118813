"""Which partitions a share group has a state of in `__share_group_state`: one record, replaced as a whole.

Before members get a partition its share state must be initialized, which is another coordinator's work: the
partition is written down as initializing, then, once that is done, as initialized. So it goes back, too: a
topic whose states are to be removed is written down as deleting before they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple


class TopicPart(NamedTuple):
    """Partitions of one topic."""

    name: str
    partitions: frozenset[int]


Topics = Mapping[bytes, TopicPart]
"""By topic id."""

_NONE: Topics = MappingProxyType({})


class StatePartitions(NamedTuple):
    """A value: what changes it returns another."""

    initializing: Topics = _NONE
    initialized: Topics = _NONE
    deleting: Mapping[bytes, str] = MappingProxyType({})
    """Names of topics by id."""

    def begun(self, topics: Topics, counts: Mapping[bytes, int]) -> StatePartitions:
        """These are being initialized, anew if they were before. `counts` says how many partitions the topics
        have: one that was being deleted is so no more once it is known of all of its partitions what becomes
        of them.
        """
        initializing = merged(self.initializing, topics)
        known = merged(self.initialized, initializing)
        deleting = {
            topic_id: name
            for topic_id, name in self.deleting.items()
            if topic_id not in topics or len(known[topic_id].partitions) < counts[topic_id]
        }
        return self._replace(initializing=initializing, deleting=deleting)

    def completed(self, topics: Topics) -> StatePartitions:
        """These are initialized."""
        return self._replace(
            initializing=_without(self.initializing, topics), initialized=merged(self.initialized, topics)
        )

    def forgetting(self, topic_ids: Collection[bytes]) -> StatePartitions:
        """The states of initialized topics are to be deleted."""
        deleting = {**self.deleting, **{each: self.initialized[each].name for each in topic_ids}}
        return self._replace(initialized=_but(self.initialized, topic_ids), deleting=deleting)

    def forgotten(self, topic_ids: Iterable[bytes]) -> StatePartitions:
        """The states of these topics are deleted."""
        gone = set(topic_ids)
        return self._replace(
            deleting={each: self.deleting[each] for each in self.deleting if each not in gone}
        )

    def without_topics(self, topic_ids: Collection[bytes]) -> StatePartitions:
        """These topics do not exist any more."""
        return StatePartitions(
            _but(self.initializing, topic_ids),
            _but(self.initialized, topic_ids),
            {each: name for each, name in self.deleting.items() if each not in topic_ids},
        )


def merged(some: Topics, others: Topics) -> Topics:
    """The partitions of both; names are those of `others`."""
    result = dict(some)
    for topic_id, part in others.items():
        known = result.get(topic_id)
        partitions = part.partitions if known is None else part.partitions | known.partitions
        result[topic_id] = TopicPart(part.name, partitions)
    return result


def _without(some: Topics, others: Topics) -> Topics:
    result = {}
    for topic_id, part in some.items():
        other = others.get(topic_id)
        left = part.partitions if other is None else part.partitions - other.partitions
        if left:
            result[topic_id] = TopicPart(part.name, left)
    return result


def _but(some: Topics, topic_ids: Collection[bytes]) -> Topics:
    return {topic_id: part for topic_id, part in some.items() if topic_id not in topic_ids}
