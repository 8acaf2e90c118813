"""Produce, served in versions 3-13 and advertised from 0, as Apache Kafka does for old librdkafka
(KAFKA-18659).

- One batch for each partition; each partition succeeds or fails on its own. Of a partition that is named
  twice only the last batch counts, as in Kafka.
- acks 1 and -1 (all) answer once the batch is in the log; on the disk, too, where `flush.messages=1`. acks 0
  gets no answer, and an error then closes the connection. Other acks get INVALID_REQUIRED_ACKS.
- A retry by an idempotent producer gets the offset of the original.
- A transactional batch in a request without a transactional id fails the whole request with
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED, whatever else is in it.
- 7: zstd. 8: record errors and messages (KIP-467). 10: current leader and node endpoints (KIP-951), which one
  broker alone never has to name. 13: topics by id.
- Batches of a transaction: before the first one in a partition the coordinator is asked whether the partition
  is part of it. 11: TRANSACTION_ABORTABLE if not, INVALID_TXN_STATE before. 12: the request itself adds the
  partition (KIP-890).
"""

from __future__ import annotations

import logging
import struct
from typing import cast

import trio

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.enlisting import Enlisted, FirstBatch, Generation, NotEnlisted, enlist
from kstream.broker.partition import Partition
from kstream.broker.producing import RECORDS_PER_FIRST_BATCH, append_produced
from kstream.errors import ApiError, ErrorCode, ProtocolError
from kstream.log.errors import LogStorageError
from kstream.records.batch import (
    ATTRIBUTES_POSITION,
    HEADER_SIZE,
    LOG_OVERHEAD,
    MAGIC,
    TRANSACTIONAL_FLAG,
    read_header,
)
from kstream.records.validation import InvalidBatch, request_fault
from kstream.wire.apis import ApiKey
from kstream.wire.messages.produce import (
    BatchIndexAndErrorMessage,
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
    TopicProduceResponse,
)
from kstream.wire.uuids import ZERO_UUID

log = logging.getLogger(__name__)

_FIRST_VERSION_WITH_ABORTABLE = 11
_FIRST_VERSION_THAT_ADDS = 12
_BATCHES_PER_TURN = 16
"""After so many, of up to a megabyte each, other connections have their turn."""

_FIRST_VERSION_WITH_TOPIC_IDS = 13
_MAGIC_POSITION = 16
_length_of = struct.Struct(">i").unpack_from
_NO_RECORDS = memoryview(b"")
_FOUND_BY_THE_LOG = frozenset(
    {
        ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
        ErrorCode.INVALID_PRODUCER_EPOCH,
        ErrorCode.INVALID_TXN_STATE,
    }
)
"""Errors whose answer carries the log start offset; a message comes only with record errors."""


@handles(ApiKey.PRODUCE, advertised_min=0, is_prompt=True)
async def handle(context: RequestContext, request: ProduceRequest) -> ProduceResponse | None:
    uses_topic_ids = context.api_version >= _FIRST_VERSION_WITH_TOPIC_IDS
    topics = _named_once(request.topic_data, uses_topic_ids=uses_topic_ids)
    if request.transactional_id is None and _has_transactional_records(topics):
        return _refuse_all(topics, request.acks, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    enlisted: Enlisted | None = None
    if request.transactional_id is not None:
        enlisted = await _enlist(context, request.transactional_id, topics, uses_topic_ids=uses_topic_ids)
    try:
        answers, failed = await _produce_all(
            context, topics, request.acks, enlisted, uses_topic_ids=uses_topic_ids
        )
    finally:
        if enlisted is not None:
            enlisted.release()
    if request.acks != 0:
        return ProduceResponse(responses=answers)
    if failed is not None:
        raise _unanswered(failed.error_code)
    return None


async def _produce_all(
    context: RequestContext,
    topics: list[TopicProduceData],
    acks: int,
    enlisted: Enlisted | None,
    *,
    uses_topic_ids: bool,
) -> tuple[list[TopicProduceResponse], PartitionProduceResponse | None]:
    """The answers, and the last one that failed."""
    now_ms = context.now_ms()
    answers: list[TopicProduceResponse] = []
    failed: PartitionProduceResponse | None = None
    if len(topics) > 1 or (topics and len(topics[0].partition_data) > 1):
        await context.broker.partitions.open_ahead(
            (topic.topic_id if uses_topic_ids else topic.name, produced.index)
            for topic in topics
            for produced in topic.partition_data
        )
    for topic in topics:
        partition_answers: list[PartitionProduceResponse] = []
        key = topic.topic_id if uses_topic_ids else topic.name
        for number, produced in enumerate(topic.partition_data, 1):
            records = cast("memoryview | None", produced.records)
            answer = await produce_one(context, key, produced.index, records, acks, now_ms, enlisted)
            partition_answers.append(answer)
            if not number % _BATCHES_PER_TURN:
                await trio.lowlevel.checkpoint()
            if answer.error_code:
                failed = answer
        answers.append(
            TopicProduceResponse(
                name=topic.name, topic_id=topic.topic_id, partition_responses=partition_answers
            )
        )
    return answers, failed


async def _enlist(
    context: RequestContext, transactional_id: str, topics: list[TopicProduceData], *, uses_topic_ids: bool
) -> Enlisted:
    """Ask for the partitions that get transactional batches; what is wrong with a batch is found later."""
    batches: list[FirstBatch] = []
    for topic in topics:
        key = topic.topic_id if uses_topic_ids else topic.name
        for produced in topic.partition_data:
            records = cast("memoryview | None", produced.records)
            if records is None or not _is_transactional(records):
                continue
            try:
                partition = await context.broker.partitions.get(key, produced.index)
            except ApiError:
                continue
            header = read_header(records)
            batches.append(
                FirstBatch((key, produced.index), partition, header.producer_id, header.producer_epoch)
            )
    version = context.api_version
    generation = Generation(
        adds=version >= _FIRST_VERSION_THAT_ADDS, knows_abortable=version >= _FIRST_VERSION_WITH_ABORTABLE
    )
    return await enlist(context.broker.transactions, transactional_id, batches, generation)


def _named_once(topics: list[TopicProduceData], *, uses_topic_ids: bool) -> list[TopicProduceData]:
    """The topics, each once, with each of its partitions once: the last entry counts, as in Kafka."""
    if len(topics) == 1 and len(topics[0].partition_data) == 1:
        return topics
    named: dict[str | bytes, dict[int, PartitionProduceData]] = {}
    count = 0
    for topic in topics:
        partitions = named.setdefault(topic.topic_id if uses_topic_ids else topic.name, {})
        count += len(topic.partition_data)
        for produced in topic.partition_data:
            partitions[produced.index] = produced
    if len(named) == len(topics) and count == sum(map(len, named.values())) and all(named.values()):
        return topics
    return [
        TopicProduceData(
            name=key if isinstance(key, str) else "",
            topic_id=key if isinstance(key, bytes) else ZERO_UUID,
            partition_data=list(partitions.values()),
        )
        for key, partitions in named.items()
        if partitions
    ]


def _has_transactional_records(topics: list[TopicProduceData]) -> bool:
    """Whether a whole batch says that it is part of a transaction, which takes a transactional id."""
    for topic in topics:
        for produced in topic.partition_data:
            records = cast("memoryview | None", produced.records)
            if records is not None and _is_transactional(records):
                return True
    return False


def _is_transactional(records: memoryview) -> bool:
    """Whether these bytes begin with a whole batch of a transaction."""
    return (
        len(records) >= HEADER_SIZE
        and bool(records[ATTRIBUTES_POSITION + 1] & TRANSACTIONAL_FLAG)
        and records[_MAGIC_POSITION] == MAGIC
        and HEADER_SIZE - LOG_OVERHEAD <= _length_of(records, 8)[0] <= len(records) - LOG_OVERHEAD
    )


def _refuse_all(topics: list[TopicProduceData], acks: int, code: ErrorCode) -> ProduceResponse:
    if acks == 0:
        raise _unanswered(code)
    return ProduceResponse(
        responses=[
            TopicProduceResponse(
                name=topic.name,
                topic_id=topic.topic_id,
                partition_responses=[
                    PartitionProduceResponse(index=produced.index, error_code=code, base_offset=-1)
                    for produced in topic.partition_data
                ],
            )
            for topic in topics
        ]
    )


def _unanswered(code: int) -> ProtocolError:
    """There is no other way to tell a producer without acks; it will ask for metadata when it is back."""
    return ProtocolError(f"producing with acks=0 failed with {ErrorCode(code).name}")


async def produce_one(
    context: RequestContext,
    topic: str | bytes,
    index: int,
    records: memoryview | None,
    acks: int,
    now_ms: int,
    enlisted: Enlisted | None = None,
) -> PartitionProduceResponse:
    """Append the batch for one partition, by its topic's name or id; the answer says what was wrong. HOT."""
    answer = PartitionProduceResponse(index=index, base_offset=-1)
    partition: Partition | None = None
    try:
        broker = context.broker
        partition = await broker.partitions.get(topic, index)
        if records is None:
            records = _NO_RECORDS
        if not -1 <= acks <= 1:
            fault = request_fault(records, context.api_version)
            raise fault or ApiError(ErrorCode.INVALID_REQUIRED_ACKS)
        batches_seen = context.batches_produced
        context.batches_produced = batches_seen + 1
        result = await append_produced(
            partition,
            records,
            api_version=context.api_version,
            validate=broker.config.validate_records,
            batches_seen=batches_seen,
            now_ms=now_ms,
            guard=None if enlisted is None else enlisted.guard((topic, index)),
        )
        context.batches_produced += (result.last_offset - result.base_offset) // RECORDS_PER_FIRST_BATCH
        answer.base_offset = result.base_offset
        answer.log_append_time_ms = result.log_append_time_ms
        answer.log_start_offset = result.log_start_offset
    except InvalidBatch as error:
        _count_failed(context, partition)
        log.info("refused a batch from %s for %s-%d: %s", context.client_id, topic, index, error)
        answer.error_code = error.code
        answer.error_message = error.message
        answer.record_errors = [
            BatchIndexAndErrorMessage(batch_index=index, batch_index_error_message=message)
            for index, message in error.record_errors
        ]
        if error.has_log_start_offset and partition is not None:
            answer.log_start_offset = partition.log.log_start_offset
    except NotEnlisted as error:
        _count_failed(context, partition)
        log.info("refused a batch from %s for %s-%d: %s", context.client_id, topic, index, error)
        answer.error_code = error.code
        answer.error_message = error.message
    except ApiError as error:
        _count_failed(context, partition)
        log.info("refused a batch from %s for %s-%d: %s", context.client_id, topic, index, error)
        answer.error_code = error.code
        if error.code in _FOUND_BY_THE_LOG and partition is not None:
            answer.log_start_offset = partition.log.log_start_offset
    except LogStorageError as error:
        _count_failed(context, partition)
        log.error("cannot append to %s-%d: %s", topic, index, error)
        answer.error_code = ErrorCode.KAFKA_STORAGE_ERROR
    return answer


def _count_failed(context: RequestContext, partition: Partition | None) -> None:
    (context.broker.stats.elsewhere if partition is None else partition.traffic).failed_appends += 1
