"""Records: produced and read."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from kstream.api import registry
from kstream.replay.event import Event
from kstream.testing.producing import partition_count, produce_record
from kstream.testing.reading import committed_records
from kstream.web.operation import BadRequest, Call, Operation
from kstream.web.text import Bytes, from_json, to_json
from kstream.wire.apis import ApiKey

_TAG = "records"
_RECORDS_MAX = 10_000
_CLIENT_ID = "kstream.http"


class Header(msgspec.Struct, forbid_unknown_fields=True):
    """One header of a record; keys may repeat."""

    key: str
    value: Bytes = None


class RecordToProduce(msgspec.Struct, forbid_unknown_fields=True):
    """Without a partition, the key chooses as in Java's client, and partition 0 takes what has no key."""

    value: Bytes = None
    key: Bytes = None
    headers: list[Header] = []
    partition: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    timestamp_ms: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None


class ToProduce(msgspec.Struct, forbid_unknown_fields=True):
    """Records to append, in this order, each acknowledged before the next."""

    records: Annotated[list[RecordToProduce], Meta(min_length=1, max_length=_RECORDS_MAX)]


class Record(msgspec.Struct):
    """A record as it stands in the log."""

    partition: int
    offset: int
    timestamp_ms: int
    key: Bytes
    value: Bytes
    headers: list[Header]


class Records(msgspec.Struct):
    """Records, by partition, then by offset."""

    records: list[Record]


class Which(msgspec.Struct):
    """Which records: of one partition or all, from an offset on, no more than `limit` of each partition."""

    partition: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    offset: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    limit: Annotated[int, Meta(ge=1, le=_RECORDS_MAX)] = 1000


async def produce_records(call: Call) -> Records:
    broker, topic = call.running.broker, call.path["topic"]
    partition_count(broker, topic)  # that it is there, before anything is appended
    handler = registry.load()[ApiKey.PRODUCE].handler
    produced = []
    for each in call.body.records:
        event = await produce_record(
            broker,
            handler,
            topic,
            from_json(each.key),
            from_json(each.value),
            tuple((header.key, from_json(header.value)) for header in each.headers),
            partition=each.partition,
            timestamp_ms=each.timestamp_ms,
            client_id=_CLIENT_ID,
        )
        produced.append(_record(event))
    return Records(produced)


async def read_records(call: Call) -> Records:
    broker, topic, which = call.running.broker, call.path["topic"], call.query
    count = partition_count(broker, topic)
    if which.partition is not None and which.partition >= count:
        raise BadRequest(f"{topic} has no partition {which.partition}: it has {count}, from 0 on")
    indexes = range(count) if which.partition is None else [which.partition]
    found: list[Record] = []
    for index in indexes:
        partition = await broker.partitions.wait_open(topic, index)
        room = min(which.limit, _RECORDS_MAX - len(found))
        found += map(_record, await committed_records(partition, which.offset, count_max=room))
    return Records(found)


def _record(event: Event) -> Record:
    assert event.partition is not None
    assert event.offset is not None
    return Record(
        event.partition,
        event.offset,
        event.timestamp_ms,
        to_json(event.key),
        to_json(event.value),
        [Header(key, to_json(value)) for key, value in event.headers],
    )


OPERATIONS = (
    Operation(
        "GET",
        "/v1/topics/{topic}/records",
        "What a consumer that reads committed finds",
        read_records,
        _TAG,
        query=Which,
        answer=Records,
        errors=(404,),
    ),
    Operation(
        "POST",
        "/v1/topics/{topic}/records",
        'Append records; text goes as UTF-8, other bytes as {"base64": ...}',
        produce_records,
        _TAG,
        body=ToProduce,
        answer=Records,
        status=201,
        errors=(404, 413),
    ),
)
