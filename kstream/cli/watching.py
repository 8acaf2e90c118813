"""What `kstream top` shows: counts of a cluster, and how they change."""

from __future__ import annotations

from contextlib import closing
from typing import NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka._model import ConsumerGroupTopicPartitions
from confluent_kafka.admin import OffsetSpec
from confluent_kafka.cimpl import TopicPartition

from kstream.cli.connection import Cluster
from kstream.cli.over_http import HttpServer
from kstream.cli.share_groups import ShareGroups
from kstream.errors import KstreamError

_ASK_S = 5.0

PartitionKey = tuple[str, int]


class TopicRow(NamedTuple):
    """One topic now."""

    name: str
    partitions: int
    records: int
    """Offsets between the beginning and the end."""
    records_per_s: float


class GroupRow(NamedTuple):
    """One group now."""

    name: str
    state: str
    members: int
    lag: int
    records_per_s: float
    """How fast its positions move; of a share group, how fast records are done with."""


class Watcher:
    """Asks a cluster again and again: a few requests a look, whatever the number of topics."""

    def __init__(self, cluster: Cluster, server: HttpServer | None = None) -> None:
        self._cluster = cluster
        self._server = server
        self.connections: int | None = None
        """How many the server has; None if it does not offer HTTP."""
        self._admin = cluster.admin()
        self._ends: dict[PartitionKey, int] = {}
        self._positions: dict[str, int] = {}
        self._looked_s: float | None = None

    def look(self, now_s: float) -> tuple[list[TopicRow], list[GroupRow]]:
        """Topics and groups, the busiest first. Raises `NoAnswer`, `Refused`."""
        elapsed_s = None if self._looked_s is None else max(now_s - self._looked_s, 1e-3)
        self._looked_s = now_s
        topics = self._cluster.topics(self._admin, with_internal=False)
        partitions = [(name, index) for name, count in topics.items() for index in range(count)]
        begins, ends = (
            self._offsets(partitions, spec) for spec in (OffsetSpec.earliest(), OffsetSpec.latest())
        )
        topic_rows = []
        for name, count in topics.items():
            keys = [(name, index) for index in range(count)]
            moved = sum(ends.get(key, 0) - self._ends.get(key, ends.get(key, 0)) for key in keys)
            size = sum(ends.get(key, 0) - begins.get(key, 0) for key in keys)
            topic_rows.append(TopicRow(name, count, size, moved / elapsed_s if elapsed_s else 0.0))
        self._ends = ends
        group_rows = [*self._groups(ends, elapsed_s), *self._share_groups(ends, elapsed_s)]
        self._look_at_server()
        topic_rows.sort(key=lambda row: (-row.records_per_s, row.name))
        group_rows.sort(key=lambda row: (-row.lag, row.name))
        return topic_rows, group_rows

    def _look_at_server(self) -> None:
        """Ask for its connections, once in vain at most."""
        if self._server is None:
            return
        try:
            self.connections = self._server.ask("GET", "/v1/stats")["connections"]
        except KstreamError:
            self._server, self.connections = None, None

    def _groups(self, ends: dict[PartitionKey, int], elapsed_s: float | None) -> list[GroupRow]:
        ask = self._cluster.ask
        names = [each.group_id for each in ask(self._admin.list_consumer_groups(), "list groups").valid]
        rows = []
        described = self._admin.describe_consumer_groups(names) if names else {}
        for name, future in described.items():
            group = ask(future, f"describe {name}")
            asked = self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(name)])[name]
            positions = [
                each
                for each in ask(asked, f"ask for positions of {name}").topic_partitions
                if each.offset >= 0
            ]
            total = sum(each.offset for each in positions)
            lag = sum(
                max(0, ends.get((each.topic, each.partition), each.offset) - each.offset)
                for each in positions
            )
            rate = self._rate(name, total, elapsed_s)
            rows.append(GroupRow(name, group.state.name.lower(), len(group.members), lag, rate))
        return rows

    def _share_groups(self, ends: dict[PartitionKey, int], elapsed_s: float | None) -> list[GroupRow]:
        rows = []
        with closing(ShareGroups(self._cluster)) as shares:
            for name in [each["group"] for each in shares.rows()]:
                group = shares.find(name)
                if group is None:  # deleted meanwhile
                    continue
                lags = {
                    (each["topic"], each["partition"]): each["lag"]
                    for each in shares.positions(name)
                    if each["lag"] is not None
                }
                done = sum(ends.get(key, lag) - lag for key, lag in lags.items())
                rate = self._rate(name, done, elapsed_s)
                state = group.group_state.lower()
                rows.append(GroupRow(name, state, len(group.members), sum(lags.values()), rate))
        return rows

    def _rate(self, group: str, total: int, elapsed_s: float | None) -> float:
        """How fast a group's total grows since the last look."""
        moved = total - self._positions.get(group, total)
        self._positions[group] = total
        return moved / elapsed_s if elapsed_s else 0.0

    def _offsets(self, partitions: list[PartitionKey], spec: OffsetSpec) -> dict[PartitionKey, int]:
        wanted = {TopicPartition(name, index): spec for name, index in partitions}
        found = {}
        for each, future in (self._admin.list_offsets(wanted) if wanted else {}).items():
            try:
                found[each.topic, each.partition] = future.result(_ASK_S).offset
            except KafkaException:  # deleted meanwhile
                continue
        return found
