"""Committed offsets: hard state, which only replay changes."""

from __future__ import annotations

from collections.abc import Iterator

from kstream.records.schemas.group import OffsetCommitKey, OffsetCommitValue

Topics = dict[str, dict[int, OffsetCommitValue]]


class OffsetStore:
    """Offsets by group, topic and partition; those of open transactions beside them, by producer id."""

    __slots__ = ("by_group", "pending")

    def __init__(self) -> None:
        self.by_group: dict[str, Topics] = {}
        self.pending: dict[int, dict[str, Topics]] = {}
        """What transactions that have not ended would commit."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OffsetStore):
            return NotImplemented
        return self.by_group == other.by_group and self.pending == other.pending

    __hash__ = None  # type: ignore[assignment]

    def get(self, group_id: str, topic: str, partition: int) -> OffsetCommitValue | None:
        try:
            return self.by_group[group_id][topic][partition]
        except KeyError:
            return None

    def is_pending(self, group_id: str, topic: str, partition: int) -> bool:
        """Whether an open transaction would change this offset (KIP-447)."""
        return any(partition in groups.get(group_id, {}).get(topic, ()) for groups in self.pending.values())

    def has_pending(self, group_id: str) -> bool:
        """Whether an open transaction has offsets of the group."""
        return any(group_id in groups for groups in self.pending.values())

    def of_group(self, group_id: str) -> Iterator[tuple[str, int, OffsetCommitValue]]:
        """Topic, partition and offset of all that the group committed."""
        for topic, partitions in self.by_group.get(group_id, {}).items():
            for partition, value in partitions.items():
                yield topic, partition, value

    def pending_of_group(self, group_id: str) -> Iterator[tuple[str, int]]:
        """Topic and partition of what open transactions would commit for the group."""
        for groups in self.pending.values():
            for topic, partitions in groups.get(group_id, {}).items():
                for partition in partitions:
                    yield topic, partition

    def replay(self, key: OffsetCommitKey, value: OffsetCommitValue | None, producer_id: int) -> None:
        """Take over one record."""
        if value is None:
            _remove(self.by_group, key)
            self._drop_pending(key)
        elif producer_id >= 0:
            _put(self.pending.setdefault(producer_id, {}), key, value)
        else:
            _put(self.by_group, key, value)
            # A plain commit behind a transactional one is the later word: the end of the transaction must
            # not undo it.
            self._drop_pending(key)

    def end_transaction(self, producer_id: int, *, is_commit: bool) -> list[str]:
        """A transaction ended; the groups that it committed offsets of."""
        groups = self.pending.pop(producer_id, None)
        if groups is None or not is_commit:
            return []
        for group_id, topics in groups.items():
            for topic, partitions in topics.items():
                self.by_group.setdefault(group_id, {}).setdefault(topic, {}).update(partitions)
        return list(groups)

    def _drop_pending(self, key: OffsetCommitKey) -> None:
        if self.pending:
            for producer_id in list(self.pending):
                _remove(self.pending[producer_id], key)
                if not self.pending[producer_id]:
                    del self.pending[producer_id]


def _put(groups: dict[str, Topics], key: OffsetCommitKey, value: OffsetCommitValue) -> None:
    topics = groups.get(key.group)
    if topics is None:
        topics = groups[key.group] = {}
    partitions = topics.get(key.topic)
    if partitions is None:
        partitions = topics[key.topic] = {}
    partitions[key.partition] = value


def _remove(groups: dict[str, Topics], key: OffsetCommitKey) -> None:
    topics = groups.get(key.group)
    partitions = topics.get(key.topic) if topics is not None else None
    if topics is None or partitions is None or partitions.pop(key.partition, None) is None:
        return
    if not partitions:
        del topics[key.topic]
        if not topics:
            del groups[key.group]
