"""The transaction coordinator of this broker: requests for transactional ids, and the markers that follow.

A decided transaction is completed by whoever asked for its end, right behind the answer, while the client
is busy with it; what could not be completed then, and what a restart or a timeout decided, is completed by
`run_forever`, again and again until every partition has its marker.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import trio

from kstream.broker.completions import Completions
from kstream.broker.coordinated import Operation
from kstream.broker.coordinator_runtime import CoordinatorRuntime
from kstream.broker.groups import GroupCoordinator
from kstream.broker.markers import Marker
from kstream.broker.metadata.image import TRANSACTIONS_TOPIC
from kstream.broker.metadata.internal_topics import ensure_internal_topic
from kstream.broker.metadata.store import MetadataStore
from kstream.broker.partitions import Partitions
from kstream.broker.producer_ids import ProducerIds
from kstream.clock import Clock
from kstream.config.broker import BrokerConfig
from kstream.coordinator.codec import RecordDecoder
from kstream.coordinator.outcome import Outcome
from kstream.errors import ApiError, ErrorCode
from kstream.log.directory import LogDirectory
from kstream.records.schemas.transaction import TransactionLogKey, TransactionLogValue
from kstream.transactions.describe import describe_transaction, list_transactions, unknown_states
from kstream.transactions.end import complete, end_transaction
from kstream.transactions.init_producer_id import init_producer_id
from kstream.transactions.partitions import add_partitions, missing_partitions
from kstream.transactions.settings import TransactionSettings
from kstream.transactions.shard import TransactionShard
from kstream.transactions.store import ProducerIdNeeded
from kstream.transactions.transaction import TopicPartition, WriteMarkers
from kstream.wire.messages.describe_transactions import TransactionState
from kstream.wire.messages.end_txn import EndTxnRequest, EndTxnResponse
from kstream.wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from kstream.wire.messages.list_transactions import ListTransactionsRequest, ListTransactionsResponse

log = logging.getLogger(__name__)

_KEYS = {TransactionLogKey.API_KEY: TransactionLogKey}
_VALUES = {TransactionLogKey.API_KEY: TransactionLogValue}
_STRING_BYTES_MAX = 32_767


def settings_of(config: BrokerConfig) -> TransactionSettings:
    """What the broker's configuration says of transactions."""
    check_interval_ms = config.value("transaction.remove.expired.transaction.cleanup.interval.ms")
    assert isinstance(check_interval_ms, int)
    return TransactionSettings(
        max_timeout_ms=config.transaction_max_timeout_ms,
        id_expiration_ms=config.transactional_id_expiration_ms,
        id_expiration_check_interval_ms=check_interval_ms,
    )


class TransactionCoordinator:
    """One method for each thing that is asked of transactions.

    All raise ApiError: INVALID_REQUEST for an empty id, NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, and
    what the operations say.
    """

    def __init__(
        self,
        config: BrokerConfig,
        directory: LogDirectory,
        *,
        partitions: Partitions,
        groups: GroupCoordinator,
        producer_ids: ProducerIds,
        metadata: MetadataStore,
        clock: Clock,
    ) -> None:
        settings = settings_of(config)
        self._config = config
        self._metadata = metadata
        self._producer_ids = producer_ids
        self._completions = Completions(partitions, groups, self._complete, clock)
        self._runtime = CoordinatorRuntime(
            TRANSACTIONS_TOPIC,
            lambda: TransactionShard(settings),
            RecordDecoder(_KEYS, _VALUES),
            partitions=partitions,
            metadata=metadata,
            clock=clock,
            with_records=[
                index for topic, index in directory.partition_keys() if topic == TRANSACTIONS_TOPIC
            ],
            # A producer waits for each step of its transaction, and sends the next one only then.
            gathers=False,
            on_effect=self._completions.add,
        )

    async def ensure_topic(self) -> None:
        """Create `__transaction_state` if it is not there.

        Raises:
            ApiError: it cannot be created.
        """
        await ensure_internal_topic(self._metadata, self._config, TRANSACTIONS_TOPIC)

    async def run_forever(self) -> None:
        """Load what the log has, end what is open for too long, complete what is decided."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._runtime.run_forever)
            nursery.start_soon(self._completions.run_forever)

    # Producers

    async def init_producer_id(self, request: InitProducerIdRequest) -> InitProducerIdResponse:
        """A producer takes over a transactional id."""
        transactional_id = request.transactional_id or ""
        response: InitProducerIdResponse = await self._with_producer_id(
            transactional_id,
            lambda new_id: (
                lambda shard, now_ms, token: init_producer_id(
                    shard.store, request, token, now_ms, new_producer_id=new_id
                )
            ),
        )
        await self._completions.attempt(transactional_id)
        return response

    async def add_partitions(
        self,
        transactional_id: str,
        producer_id: int,
        producer_epoch: int,
        partitions: frozenset[TopicPartition],
        *,
        client_version: int,
    ) -> None:
        """Partitions that the transaction will write to."""
        await self._perform(
            transactional_id,
            lambda shard, now_ms, token: add_partitions(
                shard.store,
                transactional_id,
                producer_id,
                producer_epoch,
                partitions,
                token,
                now_ms,
                client_version=client_version,
            ),
        )

    async def missing_partitions(
        self,
        transactional_id: str,
        producer_id: int,
        producer_epoch: int,
        partitions: frozenset[TopicPartition],
    ) -> frozenset[TopicPartition]:
        """Which of these partitions are not part of the transaction."""

        def missing(shard: TransactionShard) -> frozenset[TopicPartition]:
            return missing_partitions(shard.store, transactional_id, producer_id, producer_epoch, partitions)

        # Asked with the first batch of every transaction: nothing to write, and mostly nothing to wait for.
        coordinated = self._runtime.at_rest(transactional_id)
        if coordinated is not None:
            return missing(coordinated.shard)
        found: frozenset[TopicPartition] = await self._perform(
            transactional_id, lambda shard, now_ms, token: Outcome().reply(token, missing(shard))
        )
        return found

    async def end(self, request: EndTxnRequest, *, client_version: int) -> EndTxnResponse:
        """Commit or abort. It is decided when this returns; `attempt_completion` lets the partitions know."""
        response: EndTxnResponse = await self._with_producer_id(
            request.transactional_id,
            lambda new_id: (
                lambda shard, now_ms, token: end_transaction(
                    shard.store,
                    request,
                    token,
                    now_ms,
                    client_version=client_version,
                    new_producer_id=new_id,
                )
            ),
        )
        return response

    async def attempt_completion(self, transactional_id: str) -> None:
        """Write the markers of an id's decided transaction, if it has one; a disk that refuses is no error.

        Whoever finds that the last transaction is not complete can help so, and then try again.
        """
        await self._completions.attempt(transactional_id)

    # Operators

    async def describe(self, transactional_id: str) -> TransactionState:
        """One transactional id."""
        response: TransactionState = await self._perform(
            transactional_id,
            lambda shard, now_ms, token: Outcome().reply(
                token, describe_transaction(shard.store, transactional_id)
            ),
        )
        return response

    async def list(
        self, request: ListTransactionsRequest, now_ms: int, matches: Callable[[str], bool]
    ) -> ListTransactionsResponse:
        """The transactional ids that this broker coordinates and that pass the filters."""
        response = ListTransactionsResponse(unknown_state_filters=unknown_states(request.state_filters))
        for coordinated in await self._runtime.load_all():
            response.transaction_states += list_transactions(
                coordinated.shard.store, request, now_ms, matches
            )
        return response

    async def write_marker(self, partition: TopicPartition, marker: Marker) -> None:
        """End a transaction in one partition, whoever coordinates it.

        Raises:
            ApiError: there is no such partition here, or the marker is fenced.
            LogStorageError: the disk refused.
        """
        await self._completions.write_marker(partition, marker)

    # Carrying out

    async def _perform(self, transactional_id: str, operation: Operation[TransactionShard]) -> Any:
        if not transactional_id:
            raise ApiError(ErrorCode.INVALID_REQUEST)
        if len(transactional_id.encode("utf-8", "surrogatepass")) > _STRING_BYTES_MAX:
            raise ApiError(ErrorCode.INVALID_REQUEST)
        return await self._runtime.perform(transactional_id, operation)

    async def _with_producer_id(
        self,
        transactional_id: str,
        operation_of: Callable[[int | None], Operation[TransactionShard]],
    ) -> Any:
        """Perform an operation, with a new producer id once it turns out to need one."""
        reply = await self._perform(transactional_id, _or_none(operation_of(None)))
        if reply is not _NEEDS_PRODUCER_ID:
            return reply
        new_id = await self._producer_ids.next_id()
        return await self._perform(transactional_id, operation_of(new_id))

    async def _complete(self, written: WriteMarkers) -> None:
        await self._runtime.perform(
            written.transactional_id,
            lambda shard, now_ms, token: complete(shard.store, written, now_ms).reply(token, ErrorCode.NONE),
        )


_NEEDS_PRODUCER_ID = object()


def _or_none(operation: Operation[TransactionShard]) -> Operation[TransactionShard]:
    """The operation, whose reply is `_NEEDS_PRODUCER_ID` if that is what it lacks."""

    def attempt(shard: TransactionShard, now_ms: int, token: Any) -> Outcome:
        try:
            return operation(shard, now_ms, token)
        except ProducerIdNeeded:
            return Outcome().reply(token, _NEEDS_PRODUCER_ID)

    return attempt
