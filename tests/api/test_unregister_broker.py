"""UnregisterBroker: brokers that are not there any more are forgotten."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import trio

from kstream.broker.metadata.store import Change
from kstream.errors import ErrorCode
from kstream.records.schemas.metadata import PartitionChangeRecord, RegisterBrokerRecord
from kstream.wire.messages.unregister_broker import UnregisterBrokerRequest, UnregisterBrokerResponse
from tests.api.conftest import Asker


def _unregister(asker: Asker, broker_id: int) -> UnregisterBrokerResponse:
    return asker.ask(UnregisterBrokerRequest(broker_id=broker_id), 0, UnregisterBrokerResponse)


def test_brokers_that_are_not_registered(asker: Asker) -> None:
    for broker_id in (2, -1, 2**31 - 1):
        answer = _unregister(asker, broker_id)
        assert (answer.error_code, bool(answer.error_message)) == (ErrorCode.BROKER_ID_NOT_REGISTERED, True)


def test_this_broker_stays(asker: Asker) -> None:
    assert _unregister(asker, 1).error_code == ErrorCode.INVALID_REQUEST
    assert list(asker.broker.metadata.image.brokers) == [1]


def test_another_broker_goes_for_good(start: Callable[..., Asker]) -> None:
    asker = start()
    asker.create("t")
    records = [
        RegisterBrokerRecord(broker_id=2, broker_epoch=100, fenced=True),
        PartitionChangeRecord(partition_id=0, topic_id=asker.topic_id("t"), replicas=[1, 2], isr=[1, 2]),
    ]
    trio.run(asker.broker.metadata.update, lambda image: Change(None, records))
    assert sorted(asker.broker.metadata.image.brokers) == [1, 2]
    answer = _unregister(asker, 2)
    assert (answer.error_code, answer.error_message) == (0, "")
    for again in (asker, start()):
        image = again.broker.metadata.image
        assert list(image.brokers) == [1]
        (partition,) = image.topics_by_name["t"].partitions
        assert dataclasses.astuple(partition)[4:6] == ((1, 2), (1,))
