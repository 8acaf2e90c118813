"""The metadata log of this node, `__cluster_metadata-0`, and the image it replays into.

A commit is one batch of records, so a crash leaves all of it or nothing. It is on the disk before it is
replayed, and replayed before anybody is answered: what a client was told survives a power cut. A failed
sync proves nothing when it is tried again, so after one no further commit is accepted until the next start.

Every so often a snapshot of the image is written, and the log before an older one goes (`snapshots`).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

import trio

from kstream.broker.metadata import bootstrap
from kstream.broker.metadata.delta import MetadataDelta
from kstream.broker.metadata.elections import election_records, renewal_records
from kstream.broker.metadata.image import METADATA_TOPIC, MetadataImage
from kstream.broker.metadata.loading import Loader
from kstream.broker.metadata.replay import CONTROLLER, replay
from kstream.broker.metadata.snapshots import formatted_records, remove_unfinished
from kstream.broker.metadata.snapshotting import Snapshotting, log_config
from kstream.clock import Clock
from kstream.config.broker import BrokerConfig
from kstream.errors import ApiError, ErrorCode
from kstream.log.directory import LogDirectory
from kstream.log.errors import LogStorageError
from kstream.log.partition import Origin, PartitionLog
from kstream.log.retention import Removal
from kstream.records.batch import read_header
from kstream.records.builder import build_batch
from kstream.records.control import quorum_batch
from kstream.records.metadata import encode_metadata
from kstream.records.schemas.metadata import AbortTransactionRecord, ProducerIdsRecord
from kstream.wire.schema import Message
from kstream.wire.uuids import METADATA_TOPIC_ID

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class Change(NamedTuple, Generic[Result]):
    """What an operation decided: its answer, and the records that make it true."""

    result: Result
    records: Sequence[Message] = ()


class MetadataStore:
    """Cluster metadata of this node: read through `image`, changed through `update`."""

    def __init__(self, partition_log: PartitionLog, config: BrokerConfig, clock: Clock) -> None:
        self.image = MetadataImage()
        self.version = 0
        """Rises with every commit: what was derived from the image at one version holds until the next."""
        self.derived: dict[str, Any] = {}
        """Answers made from the image, each under a key of its maker's; forgotten at the next commit."""
        self._log = partition_log
        self._config = config
        self._clock = clock
        self._leader_epoch = bootstrap.FIRST_LEADER_EPOCH
        self._lock = trio.Lock()
        self._sync_failed = False
        """Whether the log has a commit of which nobody knows whether it is on the disk."""
        self._listeners: list[Callable[[MetadataDelta], None]] = []
        self._snapshotting = Snapshotting(partition_log, config, clock.now_ms())

    @classmethod
    def open(cls, directory: LogDirectory, config: BrokerConfig, clock: Clock) -> MetadataStore:
        """Open the log, replay it, and write what a first start or a changed registration needs. Blocks.

        Raises:
            LogStorageError: the log cannot be read or written.
            MetadataFault, CorruptBatch: its records make no sense.
        """
        now_ms = clock.now_ms()
        partition_log = directory.open_partition(
            METADATA_TOPIC, 0, log_config(config), topic_id=METADATA_TOPIC_ID, now_ms=now_ms
        )
        store = cls(partition_log, config, clock)
        try:
            store._load()
            store._begin(directory)
            store._tell_what_is_only_kept()
        except OSError as error:
            partition_log.close(clean=False)
            raise LogStorageError(f"{partition_log.directory}: {error}") from error
        except BaseException:
            partition_log.close(clean=False)
            raise
        return store

    def close(self) -> None:
        """Close the log; the image stays readable. Blocks."""
        self._log.close()

    @property
    def leader_epoch(self) -> int:
        """The epoch of the metadata log's leader, this node."""
        return self._leader_epoch

    def on_change(self, listener: Callable[[MetadataDelta], None]) -> None:
        """Call `listener(delta)` after each commit, when `image` already shows it."""
        self._listeners.append(listener)

    async def update(self, operation: Callable[[MetadataImage], Change[Result]]) -> Result:
        """Run an operation on the image as it is, commit its records, and return its result.

        Operations run one after the other, so two that would create the same topic cannot both succeed.

        Raises:
            ApiError: KAFKA_STORAGE_ERROR if the records could not be written; whatever the operation raises.
        """
        async with self._lock:
            change = operation(self.image)
            if change.records:
                # Shielded: once written, a change is replayed whatever happens to the connection that asked
                # for it.
                with trio.CancelScope(shield=True):
                    await self._commit(change.records)
            return change.result

    async def allocate_producer_ids(self, count: int) -> int:
        """Set aside `count` producer ids; return the first. They are never given again, also after a
        crash.
        """

        def operation(image: MetadataImage) -> Change[int]:
            first = image.next_producer_id
            broker = image.brokers[self._config.node_id]
            record = ProducerIdsRecord(
                broker_id=broker.broker_id, broker_epoch=broker.epoch, next_producer_id=first + count
            )
            return Change(first, [record])

        return await self.update(operation)

    def is_snapshot_due(self) -> bool:
        """Whether `write_snapshot` should be called."""
        return not self._sync_failed and self._snapshotting.is_due(self._clock.now_ms())

    async def write_snapshot(self) -> Removal:
        """Write the image as it is, and let go of what retention does not want any more; `finish` the
        removal in a thread.

        Raises OSError, LogStorageError: what was there is still there.
        """
        now_ms = self._clock.now_ms()
        async with self._lock:
            # Nothing is half committed now; while the thread writes, commits go on.
            image = self.image.copy()
        write = partial(self._snapshotting.write, image, epoch=self._leader_epoch, now_ms=now_ms)
        count = await trio.to_thread.run_sync(write)
        return self._snapshotting.let_go(count, now_ms)

    async def _commit(self, records: Sequence[Message]) -> None:
        try:
            if self._sync_failed:
                raise LogStorageError("an earlier commit could not be synced")
            self._append(self._data_batch(records))
            self._sync_failed = True
            await trio.to_thread.run_sync(self._log.flush)
            self._sync_failed = False
        except LogStorageError as error:
            log.error("metadata cannot be written: %s", error)
            raise ApiError(ErrorCode.KAFKA_STORAGE_ERROR, "The metadata log cannot be written.") from error
        self._apply(records)

    def _commit_blocking(self, records: Sequence[Message]) -> None:
        self._append(self._data_batch(records))
        self._log.flush()
        self._apply(records)

    def _data_batch(self, records: Sequence[Message]) -> bytes:
        now_ms = self._clock.now_ms()
        return build_batch(
            (now_ms, None, encode_metadata(record, type(record).VERSIONS.last)) for record in records
        )

    def _append(self, batch: bytes) -> None:
        self._log.append(
            batch,
            [read_header(batch)],
            leader_epoch=self._leader_epoch,
            now_ms=self._clock.now_ms(),
            origin=Origin.COORDINATOR,
        )
        self._snapshotting.on_batches(len(batch), self._clock.now_ms())

    def _apply(self, records: Sequence[Message]) -> None:
        delta = MetadataDelta()
        for record in records:
            replay(self.image, record, delta)
        self.image.offset = self._log.end_offset - 1
        self.version += 1
        self.derived.clear()
        self._announce(delta)

    def _announce(self, delta: MetadataDelta) -> None:
        if delta.broker_configs_changed:
            self._config.set_dynamic(
                broker=self.image.broker_configs(self._config.node_id),
                default=self.image.broker_configs(None),
            )
        for listener in self._listeners:
            listener(delta)

    def _begin(self, directory: LogDirectory) -> None:
        epochs = [] if directory.was_clean else renewal_records(self.image, self._config.node_id)
        if self._log.end_offset == 0:
            now_ms = self._clock.now_ms()
            self._append(quorum_batch(bootstrap.leader_change(self._config.node_id), timestamp_ms=now_ms))
        if not self.image.features:
            formatted = formatted_records(directory.path, self._log.directory)
            self._commit_blocking(bootstrap.bootstrap_records(self._config, formatted))
        registration = bootstrap.registration_records(
            self.image, self._config, directory.directory_id, broker_epoch=self._log.end_offset
        )
        if registration:
            self._commit_blocking(registration)
        epochs += election_records(self.image)
        if epochs:
            self._commit_blocking(epochs)

    def _tell_what_is_only_kept(self) -> None:
        kinds = Counter(str(kind) for kind, *_ in self.image.kept)
        del kinds[CONTROLLER]
        if kinds:
            told = ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in kinds.items())
            log.warning("the metadata has %s: kept for Apache Kafka, but without effect here", told)

    def _load(self) -> None:
        """Load what recovery left on the disk."""
        remove_unfinished(self._log.directory)
        loader = Loader()
        loader.load(self._log, self._clock.now_ms())
        self.image = loader.image
        self._snapshotting.on_batches(loader.size_bytes, loader.last_timestamp_ms)
        self._leader_epoch = max(self._leader_epoch, loader.leader_epoch)
        if loader.is_in_transaction:
            self._commit_blocking([AbortTransactionRecord(reason="The log ended in the transaction.")])
        self._announce(loader.delta)
