"""The broker: one node's state, put together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from kstream.broker.fetch_sessions import FetchSessions
from kstream.broker.fetches import Fetches
from kstream.broker.groups import GroupCoordinator
from kstream.broker.metadata.create_topics import USE_DEFAULT, NewTopic, create_topics
from kstream.broker.metadata.store import MetadataStore
from kstream.broker.partitions import Partitions
from kstream.broker.producer_ids import ProducerIds
from kstream.broker.quotas import Quotas
from kstream.broker.share_states import ShareStates
from kstream.broker.shares import Shares
from kstream.broker.stats import BrokerStats
from kstream.broker.strays import set_strays_aside
from kstream.broker.telemetry import Telemetry
from kstream.broker.transactions import TransactionCoordinator
from kstream.clock import Clock
from kstream.config.broker import BrokerConfig
from kstream.config.topics import topic_values
from kstream.errors import ApiError
from kstream.faults import Faults
from kstream.log.config import LogConfig
from kstream.log.directory import LogDirectory
from kstream.log.errors import LogStorageError
from kstream.log.platform import NATIVE

log = logging.getLogger(__name__)


class Broker:
    """Everything handlers ask for. Open with `Broker.open`, end with `close`."""

    def __init__(
        self,
        config: BrokerConfig,
        clock: Clock,
        directory: LogDirectory,
        metadata: MetadataStore,
    ) -> None:
        self.config = config
        self.clock = clock
        self.directory = directory
        self.metadata = metadata
        self.faults = Faults()
        """What shall go wrong; `server` sees to it."""
        self.crash: Callable[[int], None] | None = None
        """Has the server crash, and come back after so many milliseconds; set by who can start it again."""
        self.trace_path: Path | None = None
        """Where traffic is noted from the start, if anywhere."""
        self.start_trace: Callable[[Path | None], None] | None = None
        """Has traffic noted in a file from now on, or no more; `server` sees to it."""
        self.is_crashed = False
        """Whether the end is to be one without goodbye."""
        self.node_id = config.node_id
        self.cluster_id = directory.cluster_id
        self.stats = BrokerStats()
        self.partitions = Partitions(
            self.node_id,
            metadata,
            directory,
            clock,
            self.log_config,
            self.stats,
            recovery_threads=lambda: config.num_recovery_threads_per_data_dir,
        )
        self.quotas = Quotas(config, clock.now_ms)
        self.quotas.load(metadata.image)
        metadata.on_change(lambda delta: self.quotas.on_metadata(metadata.image, delta))
        self.telemetry = Telemetry(payload_bytes_max=int(config.get("telemetry.max.bytes") or 0))
        self.fetch_sessions = FetchSessions(config.max_incremental_fetch_session_cache_slots)
        self.fetches = Fetches()
        self.producer_ids = ProducerIds(metadata.allocate_producer_ids)
        self.share_states = ShareStates(
            config, directory, partitions=self.partitions, metadata=metadata, clock=clock
        )
        self.shares = Shares(
            config, partitions=self.partitions, states=self.share_states, metadata=metadata, clock=clock
        )
        self.groups = GroupCoordinator(
            config,
            directory,
            partitions=self.partitions,
            share_states=self.share_states,
            metadata=metadata,
            clock=clock,
        )
        self.groups.share.on_offsets_changed(self.shares.on_offsets_changed)
        self.transactions = TransactionCoordinator(
            config,
            directory,
            partitions=self.partitions,
            groups=self.groups,
            producer_ids=self.producer_ids,
            metadata=metadata,
            clock=clock,
        )

    @classmethod
    def open(
        cls, data_dir: Path, config: BrokerConfig, clock: Clock, *, is_ephemeral: bool = False
    ) -> Broker:
        """Take the data directory, recover what a crash left, and replay the metadata log.

        Where it is ephemeral, removed by whoever made it, nothing is synced: no power cut matters to it.

        Raises:
            DirectoryInUse, UnusableDirectory: the message says what to do.
        """
        directory = LogDirectory.open(
            data_dir,
            node_id=config.node_id,
            cluster_id=config.cluster_id,
            platform=NATIVE.without_sync() if is_ephemeral else NATIVE,
        )
        try:
            metadata = MetadataStore.open(directory, config, clock)
            set_strays_aside(directory, metadata.image)
        except BaseException:
            directory.close()
            raise
        return cls(config, clock, directory, metadata)

    def log_config(self, topic_name: str) -> LogConfig:
        """The log settings of a topic, from its own configuration and the broker's."""
        overrides = self.metadata.image.topic_configs(topic_name)
        log_config = LogConfig.from_values(topic_values(self.config, overrides))
        log_config.producer_id_expiration_ms = self.config.producer_id_expiration_ms
        return log_config

    def waiting_fetches(self) -> int:
        """How many fetches wait for records."""
        waiting = {waiter for partition in self.partitions.opened() for waiter in partition.waiters}
        return len(waiting) + self.fetch_sessions.waiting()

    def advertised(self, listener: str, local_address: tuple[str, int]) -> tuple[str, int]:
        """The address that clients of a listener are told: the configured one, or where they reached us."""
        for advertised in self.config.advertised_listeners:
            if advertised.name == listener:
                return (advertised.host, advertised.port)
        return local_address

    async def create_missing_topics(self, wanted: Sequence[tuple[str, int | None]]) -> None:
        """Create topics that are not there yet, with so many partitions, or `num.partitions` for None.

        Raises:
            ApiError: a topic cannot be created; the message says which and why.
        """
        topics = [
            NewTopic(name, num_partitions=USE_DEFAULT if count is None else count)
            for name, count in wanted
            if name not in self.metadata.image.topics_by_name
        ]
        if not topics:
            return
        for created in await self.metadata.update(lambda image: create_topics(image, self.config, topics)):
            if created.error is not None:
                raise ApiError(created.error.code, f"topic {created.name}: {created.error.message}")

    def abandon(self) -> None:
        """End as a process does that is killed: what is in files is there at the next start."""
        self.directory.abandon()

    def close(self) -> None:
        """Write down that everything is in order, if the disk takes it. Blocks while files are synced."""
        self.partitions.close()
        try:
            try:
                self.metadata.close()
            finally:
                # Apache Kafka takes a broker of another epoch for one that lost its records.
                self.directory.close(broker_epoch=self.metadata.image.brokers[self.node_id].epoch)
        except (OSError, LogStorageError) as error:
            log.error(
                "not all was written down (%s): the next start checks the logs, and loses nothing", error
            )
