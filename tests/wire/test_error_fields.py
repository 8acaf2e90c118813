"""Error codes, wherever they are in an answer."""

from __future__ import annotations

from typing import cast

import pytest

from kstream.wire.apis import ApiKey, api
from kstream.wire.error_fields import error_reader
from kstream.wire.messages.fetch import FetchableTopicResponse, FetchResponse, PartitionData
from kstream.wire.messages.metadata import MetadataResponse, MetadataResponseTopic
from kstream.wire.messages.produce import PartitionProduceResponse, ProduceResponse, TopicProduceResponse
from kstream.wire.messages.sasl_handshake import SaslHandshakeResponse


def test_those_of_partitions_are_found() -> None:
    read = error_reader(ProduceResponse)
    assert read is not None
    partitions = [PartitionProduceResponse(index=index, error_code=index) for index in range(3)]
    topics = [TopicProduceResponse(name=name, partition_responses=partitions) for name in "ab"]
    assert read(ProduceResponse(responses=topics)) == [1, 2, 1, 2]


def test_those_of_the_whole_come_first() -> None:
    read = error_reader(FetchResponse)
    assert read is not None
    topic = FetchableTopicResponse(partitions=[PartitionData(error_code=6), PartitionData()])
    assert read(FetchResponse(error_code=71, responses=[topic])) == [71, 6]
    assert read(FetchResponse()) == []


def test_an_answer_without_any_parts_has_its_own() -> None:
    read = error_reader(SaslHandshakeResponse)
    assert read is not None
    assert read(SaslHandshakeResponse(error_code=33)) == [33]
    assert read(SaslHandshakeResponse()) == []


@pytest.mark.parametrize("key", list(ApiKey), ids=lambda key: key.name)
def test_every_answer_that_has_no_errors_says_so(key: ApiKey) -> None:
    response = api(key).response
    read = error_reader(response)
    assert read is None or read(response()) == []


def test_what_is_encoded_already_is_passed_over() -> None:
    read = error_reader(MetadataResponse)
    assert read is not None
    broken = MetadataResponseTopic(error_code=3)
    assert read(MetadataResponse(topics=[cast(MetadataResponseTopic, b"encoded"), broken])) == [3]
