"""AddPartitionsToTxn, versions 0-5.

- Partitions that a transaction will write to; the first one opens it. If one does not exist, it gets
  UNKNOWN_TOPIC_OR_PARTITION, the others OPERATION_NOT_ATTEMPTED, and nothing is added.
- 2: PRODUCER_FENCED, INVALID_PRODUCER_EPOCH before. 4: many transactions, and `verify_only`, which adds
  nothing and answers TRANSACTION_ABORTABLE for partitions that were not added (KIP-890).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ApiError, ErrorCode
from kstream.transactions.transaction import CLASSIC, EPOCH_BUMPS, TopicPartition
from kstream.wire.apis import ApiKey
from kstream.wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnPartitionResult,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnResult,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTopicResult,
    AddPartitionsToTxnTransaction,
)

_FIRST_VERSION_WITH_FENCED = 2
_FIRST_VERSION_WITH_MANY = 4


@handles(ApiKey.ADD_PARTITIONS_TO_TXN)
async def handle(context: RequestContext, request: AddPartitionsToTxnRequest) -> AddPartitionsToTxnResponse:
    if context.api_version >= _FIRST_VERSION_WITH_MANY:
        return AddPartitionsToTxnResponse(
            results_by_transaction=[
                AddPartitionsToTxnResult(
                    transactional_id=transaction.transactional_id,
                    topic_results=await _add(context, transaction),
                )
                for transaction in request.transactions
            ]
        )
    only = AddPartitionsToTxnTransaction(
        transactional_id=request.v3_and_below_transactional_id,
        producer_id=request.v3_and_below_producer_id,
        producer_epoch=request.v3_and_below_producer_epoch,
        topics=request.v3_and_below_topics,
    )
    return AddPartitionsToTxnResponse(results_by_topic_v3_and_below=await _add(context, only))


async def _add(
    context: RequestContext, transaction: AddPartitionsToTxnTransaction
) -> list[AddPartitionsToTxnTopicResult]:
    image = context.broker.metadata.image
    wanted = [(topic.name, index) for topic in transaction.topics for index in topic.partitions]
    unknown = []
    for name, index in wanted:
        found = image.topics_by_name.get(name)
        if found is None or not 0 <= index < len(found.partitions):
            unknown.append((name, index))
    if unknown:
        codes = dict.fromkeys(wanted, ErrorCode.OPERATION_NOT_ATTEMPTED)
        codes.update(dict.fromkeys(unknown, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
        return _results(transaction.topics, codes)
    return _results(transaction.topics, await _ask(context, transaction, wanted))


async def _ask(
    context: RequestContext, transaction: AddPartitionsToTxnTransaction, wanted: list[TopicPartition]
) -> Mapping[TopicPartition, ErrorCode]:
    transactions = context.broker.transactions
    producer = transaction.transactional_id, transaction.producer_id, transaction.producer_epoch
    codes = dict.fromkeys(wanted, ErrorCode.NONE)
    try:
        if transaction.verify_only:
            missing = await transactions.missing_partitions(*producer, frozenset(wanted))
            codes.update(dict.fromkeys(missing, ErrorCode.TRANSACTION_ABORTABLE))
            return codes
        is_newer = context.api_version >= _FIRST_VERSION_WITH_MANY
        client_version = EPOCH_BUMPS if is_newer else CLASSIC
        await transactions.add_partitions(*producer, frozenset(wanted), client_version=client_version)
    except ApiError as error:
        code = error.code
        if code is ErrorCode.PRODUCER_FENCED and context.api_version < _FIRST_VERSION_WITH_FENCED:
            code = ErrorCode.INVALID_PRODUCER_EPOCH
        return dict.fromkeys(wanted, code)
    return codes


def _results(
    topics: Sequence[AddPartitionsToTxnTopic], codes: Mapping[TopicPartition, ErrorCode]
) -> list[AddPartitionsToTxnTopicResult]:
    return [
        AddPartitionsToTxnTopicResult(
            name=topic.name,
            results_by_partition=[
                AddPartitionsToTxnPartitionResult(
                    partition_index=index, partition_error_code=codes[(topic.name, index)]
                )
                for index in topic.partitions
            ],
        )
        for topic in topics
    ]
