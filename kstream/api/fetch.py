"""Fetch, versions 4-18.

- Reads from the batch that contains the offset, up to the high watermark, or to the last stable offset for
  read_committed; at least one whole batch if there is one, however small the limits.
- Under `min_bytes` it waits for appends, up to `max_wait_ms`; a deleted topic ends the wait.
- 7: incremental sessions (KIP-227). 9: current leader epoch, 74 and 75 (KIP-320). 12: diverging epochs.
  13: topics by id. 15: replica state. 16: node endpoints. 18: the follower's high watermark.
- Not implemented, since every partition has one replica: fetching from followers (`rack_id` is read and
  ignored).
"""

from __future__ import annotations

import trio

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.broker import Broker
from kstream.broker.fetch_sessions import FetchedPartition, FetchPlan
from kstream.broker.partition import Partition
from kstream.broker.waiters import AppendWaiter, Watched
from kstream.errors import ApiError, ErrorCode
from kstream.log.errors import LogStorageError, OffsetOutOfRange
from kstream.log.slices import LogSlice
from kstream.wire.apis import ApiKey
from kstream.wire.messages.fetch import (
    AbortedTransaction,
    EpochEndOffset,
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)

_PARTITIONS_PER_TURN = 256
"""A request may name a hundred thousand: after so many, other connections have their turn."""

READ_UNCOMMITTED, READ_COMMITTED = 0, 1
_FIRST_VERSION_WITH_TOPIC_IDS = 13
_ISOLATION_LEVELS = (READ_UNCOMMITTED, READ_COMMITTED)
_UNKNOWN_CODES = (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID)


class Reading:
    """What was found in one partition."""

    __slots__ = (
        "changes",
        "diverging_epoch",
        "error_code",
        "found",
        "high_watermark",
        "is_at_end",
        "is_unknown",
        "last_stable_offset",
        "log_start_offset",
        "partition",
        "wanted",
    )

    def __init__(self, wanted: FetchedPartition) -> None:
        self.wanted = wanted
        self.partition: Partition | None = None
        self.error_code = 0
        self.is_unknown = False
        """Whether the metadata knows no such partition, so that nobody tried to read it."""
        self.high_watermark = -1
        self.last_stable_offset = -1
        self.log_start_offset = -1
        self.found: LogSlice | None = None
        self.is_at_end = False
        """Whether there is nothing behind the wanted offset to read, until the partition changes."""
        self.changes = 0
        """The partition's, before it was looked at."""
        self.diverging_epoch: EpochEndOffset | None = None

    def is_current(self) -> bool:
        """Whether reading again would find the same nothing: so that who waits for one partition of many does
        not read all the others whenever it wakes.
        """
        partition = self.partition
        return (
            self.is_at_end
            and partition is not None
            and partition.changes == self.changes
            and not partition.log.is_closed
            and partition.log.log_start_offset == self.log_start_offset
        )

    def fail(self, error_code: int) -> None:
        self.error_code = error_code
        if self.partition is not None:
            self.partition.traffic.failed_reads += 1
        self.high_watermark = -1
        self.log_start_offset = -1


@handles(ApiKey.FETCH)
async def handle(context: RequestContext, request: FetchRequest) -> FetchResponse:
    uses_topic_ids = context.api_version >= _FIRST_VERSION_WITH_TOPIC_IDS
    sessions = context.broker.fetch_sessions
    now_ms = context.now_ms()
    try:
        plan = sessions.plan(request, uses_topic_ids=uses_topic_ids, now_ms=now_ms)
    except ApiError as error:
        return FetchResponse(error_code=error.code)
    if request.isolation_level not in _ISOLATION_LEVELS and await _knows_any(context.broker, plan):
        return _refuse_all(request, ErrorCode.UNKNOWN_SERVER_ERROR, uses_topic_ids=uses_topic_ids)
    context.broker.fetches.note(
        context.connection_id,
        context.client_id,
        plan.all_partitions,
        now_ms,
        request.isolation_level == READ_COMMITTED,
    )
    deadline_s = trio.current_time() + request.max_wait_ms / 1000
    if request.topics:
        await context.broker.partitions.open_ahead((each.topic, each.index) for each in plan.partitions)
    readings: list[Reading] = []
    while True:
        readings = await _read_all(context.broker, plan, request, readings)
        waiter = _what_to_wait_for(plan, readings, request)
        if waiter is None:
            break
        timeout_s = deadline_s - trio.current_time()
        if timeout_s <= 0:
            break
        # Before the wait, which may be long: what is read again afterwards must not keep deleted files.
        _release(readings)
        await waiter.wait_readable(_watched(plan, readings), timeout_s)
        plan.look_again()
    return _respond(plan, readings, request, uses_topic_ids=uses_topic_ids)


async def _read_all(
    broker: Broker, plan: FetchPlan, request: FetchRequest, before: list[Reading]
) -> list[Reading]:
    """Read everything, but what is `before` from before a wait and still so."""
    budget_bytes = min(request.max_bytes, broker.config.fetch_max_bytes)
    read_committed = request.isolation_level == READ_COMMITTED
    is_replica = request.replica_id >= 0 or request.replica_state.replica_id >= 0
    min_one_batch = True
    has_unknown = False
    readings: list[Reading] = []
    known = {reading.wanted: reading for reading in before}
    try:
        for number, wanted in enumerate(plan.partitions, 1):
            if not number % _PARTITIONS_PER_TURN:
                await trio.lowlevel.checkpoint()
            reading = known.get(wanted)
            if reading is not None and reading.is_current():
                readings.append(reading)
                continue
            reading = Reading(wanted)
            readings.append(reading)
            try:
                await _find(broker, reading)
                if is_replica:
                    raise ApiError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
                await _read(reading, budget_bytes, read_committed, min_one_batch)
            except ApiError as error:
                reading.fail(error.code)
                has_unknown = has_unknown or reading.is_unknown
            except OffsetOutOfRange:
                reading.fail(ErrorCode.OFFSET_OUT_OF_RANGE)
            except LogStorageError:
                reading.fail(ErrorCode.KAFKA_STORAGE_ERROR)
            if reading.found is not None:
                min_one_batch = False
                budget_bytes = max(0, budget_bytes - len(reading.found))
    except BaseException:
        _release(readings)
        raise
    # The answer begins with what was read, then names unknown ids, then partitions of no known name.
    return sorted(readings, key=_place_in_answer) if has_unknown else readings


def _place_in_answer(reading: Reading) -> int:
    if not reading.is_unknown:
        return 0
    return 1 if reading.error_code == ErrorCode.UNKNOWN_TOPIC_ID else 2


async def _find(broker: Broker, reading: Reading) -> None:
    wanted = reading.wanted
    try:
        reading.partition = await broker.partitions.get(wanted.topic, wanted.index)
    except ApiError as error:
        if error.code == ErrorCode.UNKNOWN_TOPIC_ID and wanted.topic_name:
            # A session remembers what the id was called: that topic was deleted, or made anew.
            if wanted.topic_name in broker.metadata.image.topics_by_name:
                raise ApiError(ErrorCode.INCONSISTENT_TOPIC_ID) from error
            reading.is_unknown = True
            raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) from error
        reading.is_unknown = error.code in _UNKNOWN_CODES
        raise
    wanted.topic_name = reading.partition.topic_name
    wanted.follow(reading.partition)


async def _knows_any(broker: Broker, plan: FetchPlan) -> bool:
    """Whether there is a partition to read: only then Kafka looks at how it is to be read."""
    for wanted in list(plan.all_partitions):
        reading = Reading(wanted)
        try:
            await _find(broker, reading)
        except ApiError:
            if reading.is_unknown:
                continue
        return True
    return False


async def _read(reading: Reading, budget_bytes: int, read_committed: bool, min_one_batch: bool) -> None:
    wanted = reading.wanted
    partition = reading.partition
    assert partition is not None
    reading.changes = partition.changes
    partition.traffic.reads += 1
    # Any negative epoch says that the client knows none.
    partition.check_leader_epoch(max(-1, wanted.current_leader_epoch))
    if wanted.last_fetched_epoch >= 0:
        reading.diverging_epoch = _diverging_epoch(partition, wanted)
    reading.high_watermark = partition.high_watermark
    reading.last_stable_offset = partition.last_stable_offset
    reading.log_start_offset = partition.log.log_start_offset
    if reading.diverging_epoch is not None:
        return
    end_offset = reading.last_stable_offset if read_committed else reading.high_watermark
    if wanted.fetch_offset == end_offset:
        reading.is_at_end = True
        return
    size_bytes_max = min(wanted.size_bytes_max, budget_bytes)
    if size_bytes_max <= 0 and reading.log_start_offset <= wanted.fetch_offset < end_offset:
        if size_bytes_max < 0:
            raise ApiError(ErrorCode.UNKNOWN_SERVER_ERROR)
        if not min_one_batch:
            return  # the answer is full: what is here has to wait for the next one
    found = await partition.read(
        wanted.fetch_offset,
        size_bytes_max,
        end_offset=end_offset,
        min_one_batch=min_one_batch,
        with_transactions=read_committed,
    )
    if len(found):
        reading.found = found
    else:
        found.release()


def _diverging_epoch(partition: Partition, wanted: FetchedPartition) -> EpochEndOffset | None:
    """Where the reader's log leaves ours (KIP-320), if what it fetched last is not what we have."""
    epoch, end_offset = partition.log.end_offset_for_epoch(wanted.last_fetched_epoch)
    if epoch < 0 or end_offset < 0:
        raise OffsetOutOfRange(wanted.fetch_offset, partition.log.log_start_offset, partition.log.end_offset)
    if epoch < wanted.last_fetched_epoch or end_offset < wanted.fetch_offset:
        return EpochEndOffset(epoch=epoch, end_offset=end_offset)
    return None


def _watched(plan: FetchPlan, readings: list[Reading]) -> list[Watched]:
    """Who tells of changes: the session of all its partitions, or each partition for itself."""
    if plan.session is not None and not plan.session.is_over:
        return [plan.session]
    return [reading.partition for reading in readings if reading.partition is not None]


def _what_to_wait_for(plan: FetchPlan, readings: list[Reading], request: FetchRequest) -> AppendWaiter | None:
    """A waiter for what is missing; None if the answer leaves now, as it must when anything is wrong."""
    if request.max_wait_ms <= 0 or not plan.all_partitions:
        return None
    size_bytes = 0
    for reading in readings:
        if reading.error_code or reading.diverging_epoch is not None:
            return None
        if reading.found is not None:
            size_bytes += len(reading.found)
    missing_bytes = request.min_bytes - size_bytes
    if missing_bytes <= 0:
        return None
    if request.isolation_level == READ_COMMITTED:
        # A marker of a few bytes can make much readable: look again after every append.
        missing_bytes = 1
    waiter = AppendWaiter(missing_bytes)
    for reading in readings:
        # Reading cold data takes time, in which partitions that were read before it may have grown, or gone.
        partition = reading.partition
        if partition is not None and (partition.changes != reading.changes or partition.log.is_closed):
            waiter.on_changed()
    if plan.has_others_than(reading.wanted for reading in readings):
        waiter.on_changed()
    return waiter


def _release(readings: list[Reading]) -> None:
    for reading in readings:
        if reading.found is not None:
            reading.found.release()
            reading.found = None


def _respond(
    plan: FetchPlan, readings: list[Reading], request: FetchRequest, *, uses_topic_ids: bool
) -> FetchResponse:
    session = plan.session
    response = FetchResponse(session_id=session.id if session is not None else 0)
    topic: FetchableTopicResponse | None = None
    topic_key: str | bytes | None = None
    for reading in readings:
        wanted = reading.wanted
        is_news = reading.found is not None or reading.diverging_epoch is not None
        has_news = wanted.take_news(reading.high_watermark, reading.log_start_offset, is_news=is_news)
        if session is not None and reading.is_current():
            session.settle(wanted)
        if plan.is_incremental and not has_news:
            continue
        if plan.is_incremental and session is not None and reading.found is not None:
            session.move_to_end(wanted)
        if topic is None or topic_key != wanted.topic:
            topic_key = wanted.topic
            topic = FetchableTopicResponse(partitions=[])
            if uses_topic_ids:
                topic.topic_id = wanted.topic if isinstance(wanted.topic, bytes) else bytes(16)
            else:
                topic.topic = wanted.topic if isinstance(wanted.topic, str) else ""
            response.responses.append(topic)
        topic.partitions.append(_partition_data(reading, request))
    return response


def _refuse_all(request: FetchRequest, error_code: ErrorCode, *, uses_topic_ids: bool) -> FetchResponse:
    """The request makes no sense as a whole: before topic ids, every partition says so as well."""
    response = FetchResponse(error_code=error_code, session_id=request.session_id)
    for topic in () if uses_topic_ids else request.topics:
        partitions = [
            PartitionData(
                partition_index=wanted.partition, error_code=error_code, high_watermark=-1, records=b""
            )
            for wanted in topic.partitions
        ]
        response.responses.append(FetchableTopicResponse(topic=topic.topic, partitions=partitions))
    return response


def _partition_data(reading: Reading, request: FetchRequest) -> PartitionData:
    data = PartitionData(
        partition_index=reading.wanted.index,
        error_code=reading.error_code,
        high_watermark=reading.high_watermark,
        log_start_offset=reading.log_start_offset,
        records=reading.found if reading.found is not None else b"",
        aborted_transactions=[] if reading.is_unknown else None,
    )
    partition = reading.partition
    if partition is not None and reading.found is not None:
        partition.traffic.bytes_out += len(reading.found)
    if reading.diverging_epoch is not None:
        data.diverging_epoch = reading.diverging_epoch
    if partition is None or reading.error_code:
        return data
    data.last_stable_offset = reading.last_stable_offset
    if request.isolation_level == READ_COMMITTED and reading.diverging_epoch is None:
        data.aborted_transactions = _aborted(partition, reading)
    return data


def _aborted(partition: Partition, reading: Reading) -> list[AbortedTransaction]:
    """The transactions whose records a read_committed reader must drop from what it gets."""
    if reading.found is None:
        return []
    found = partition.log.aborted_transactions(reading.wanted.fetch_offset, reading.found)
    if not found:
        return []
    return [
        AbortedTransaction(producer_id=each.producer_id, first_offset=each.first_offset) for each in found
    ]
