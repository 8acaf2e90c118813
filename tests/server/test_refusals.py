"""Every API in every version can be answered with an error that nobody had to look for."""

from __future__ import annotations

from random import Random
from typing import Any, cast

import pytest

from kstream.api import registry
from kstream.errors import ErrorCode
from kstream.server.refusals import ANSWERED_FIRST, merge, refusal, split, spoil
from kstream.wire.apis import ApiKey, api
from kstream.wire.codec import decode, encode
from kstream.wire.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from kstream.wire.schema import Struct
from tests.wire.filling import filled

CODE = ErrorCode.NOT_COORDINATOR


def _codes(message: Struct) -> list[int]:
    found = []
    for field in type(message).__fields__:
        value = getattr(message, field.name)
        if field.name in ("error_code", "partition_error_code"):
            found.append(value)
        elif isinstance(value, list) and value and isinstance(value[0], Struct):
            found += [code for each in value for code in _codes(each)]
    return found


def _encoded(message: Any, version: int) -> Any:
    return decode(type(message), memoryview(encode(message, version)), version)


@pytest.mark.parametrize("key", sorted(registry.load()), ids=lambda key: ApiKey(key).name)
def test_a_refusal_is_an_answer_with_the_error_everywhere(key: int) -> None:
    registration = registry.load()[key]
    random = Random(key)
    told = 0
    for version in range(registration.version_min, registration.version_max + 1):
        for _ in range(30):
            if key in ANSWERED_FIRST:
                answer = filled(api(registration.key).response, version, random)
                spoil(answer, CODE)
            else:
                answer = refusal(filled(api(registration.key).request, version, random), version, CODE)
            _encoded(answer, version)
            codes = _codes(answer)
            told += CODE in codes
            assert key in ANSWERED_FIRST or set(codes) <= {CODE, 0}
    assert told >= 15 * (registration.version_max - registration.version_min + 1)


def _produce(*topics: str) -> ProduceRequest:
    return ProduceRequest(
        topic_data=[
            TopicProduceData(
                name=name, partition_data=[PartitionProduceData(index=index) for index in (0, 5)]
            )
            for name in topics
        ]
    )


def test_a_refusal_names_what_the_request_names() -> None:
    answer = cast("ProduceResponse", refusal(_produce("a", "b"), 9, CODE))
    assert [
        (topic.name, partition.index, partition.error_code, partition.base_offset)
        for topic in answer.responses
        for partition in topic.partition_responses
    ] == [(name, index, CODE, -1) for name in "ab" for index in (0, 5)]


def test_a_request_is_split_by_topic_and_its_answer_merged() -> None:
    rest, meant = split(_produce("a", "b", "c"), lambda topic: topic.name == "b")
    assert rest is not None
    assert meant is not None
    assert [topic.name for topic in cast("ProduceRequest", rest).topic_data] == ["a", "c"]
    merged = merge(refusal(rest, 9, ErrorCode.REQUEST_TIMED_OUT), refusal(meant, 9, CODE))
    assert [(each.name, _codes(each)) for each in cast("ProduceResponse", merged).responses] == [
        ("a", [7, 7]), ("c", [7, 7]), ("b", [16, 16]),
    ]  # fmt: skip
    assert split(_produce("a"), lambda topic: False) == (_produce("a"), None)
    assert split(_produce("a"), lambda topic: True) == (None, _produce("a"))
