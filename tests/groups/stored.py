"""What a server wrote of groups into `__consumer_offsets`, as text that two servers can have in common."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kstream.coordinator.codec import RecordDecoder, encode_record
from kstream.coordinator.hashing import partition_for
from kstream.coordinator.outcome import CoordinatorRecord
from kstream.groups.consumer.metadata_hash import group_hash
from kstream.records.batch import iter_headers
from kstream.records.record import iter_records
from kstream.records.schemas.group import KEYS, VALUES
from kstream.wire.schema import Struct
from tests.groups.consumer.fake_cluster import FakeCluster

_NOW_MS = 1_600_000_000_000
_UNORDERED = frozenset(
    {
        *("members", "topic_partitions", "assigned_partitions"),
        *("initializing_topics", "initialized_topics", "deleting_topics"),
    }
)


def records_in(data_dir: Path, group: str) -> list[CoordinatorRecord]:
    """What is in the group's partition of `__consumer_offsets`; written anew, it has the same bytes."""
    view = memoryview(log_of(data_dir, group).read_bytes())
    decoder = RecordDecoder(KEYS, VALUES)
    records, position = [], 0
    for header in iter_headers(view, partial_ok=True):
        for record in iter_records(view, position, header=header):
            decoded = decoder.decode(record.key, record.value)
            assert decoded is not None
            assert encode_record(decoded) == (record.key, record.value)
            records.append(decoded)
        position += header.size_bytes
    return records


def log_of(data_dir: Path, group: str) -> Path:
    (log,) = (data_dir / f"__consumer_offsets-{partition_for(group, 50)}").glob("*.log")
    return log


class Namer:
    """A record as text that two servers can have in common. Of topics it wants the names by id, and how many
    partitions they have by name.
    """

    def __init__(self, topics: Mapping[bytes, str], counts: Mapping[str, int]) -> None:
        self._topics = topics
        self._member_ids: dict[str, str] = {}
        cluster = FakeCluster()
        for topic_id, name in topics.items():
            cluster.put(topic_id, name, counts[name])
        every = sorted(counts)
        self._hashes = {
            group_hash(names, cluster): f"<hash of {names}>" for names in (*([each] for each in every), every)
        }

    def histories(self, records: list[CoordinatorRecord]) -> dict[str, list[str]]:
        """For each key what it stood for, one value after the other."""
        found: dict[str, list[str]] = {}
        for record in records:
            value = None if record.value is None else self._plain(record.value)
            key = f"{type(record.key).__name__} {self._plain(record.key)}"
            found.setdefault(key, []).append(f"{value} v{record.value_version}")
        return found

    def _plain(self, content: Any, name: str = "") -> Any:
        if isinstance(content, Struct):
            fields = type(content).__fields__
            return {each.name: self._plain(getattr(content, each.name), each.name) for each in fields}
        if isinstance(content, list):
            plain = [self._plain(each) for each in content]
            return sorted(plain, key=repr) if name in _UNORDERED else plain
        if isinstance(content, bytes) and len(content) == 16:
            return self._topics[content]
        if isinstance(content, str) and len(content) >= 22:
            return self._member_ids.setdefault(content, f"<member {len(self._member_ids)}>")
        if name == "metadata_hash":
            return self._hashes.get(content, content)
        if name == "version":
            return "<version>"
        if isinstance(content, int) and content > _NOW_MS:
            return "<now>"
        return content
