"""Coordinators that move, and leader epochs that are bumped."""

from __future__ import annotations

import pytest

from kstream.faults import BadFault
from kstream.testing import Broker
from tests.testing.faults.clients import new_consumer, new_producer, polled, sent, values_in


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_coordinator_that_moves_is_found_again(broker: Broker, protocol: str) -> None:
    broker.produce("t", "a")
    consumer = new_consumer(broker, group_protocol=protocol)
    consumer.subscribe(["t"])
    assert polled(consumer) == b"a"
    with broker.faults.add("move_coordinator", group="g", ms=100):
        consumer.commit(asynchronous=False)
    assert broker.committed("g") == {("t", 0): 1}
    broker.produce("t", "b")
    assert polled(consumer) == b"b"
    consumer.close()


def test_a_transaction_survives_a_coordinator_that_moves(broker: Broker) -> None:
    producer = new_producer(broker, transactional_id="x")
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce("t", "v")
    producer.flush(60)
    with broker.faults.add("move_coordinator", api="EndTxn", transactional_id="x", count=1, ms=50) as fault:
        producer.commit_transaction(60)
    assert fault.hits == 1
    broker.wait_for(lambda: values_in(broker) == [b"v"])


def test_a_leader_epoch_that_bumps_makes_clients_ask_again(broker: Broker) -> None:
    broker.produce("t", "a")
    consumer = new_consumer(broker)
    consumer.subscribe(["t"])
    producer = new_producer(broker)
    assert polled(consumer) == b"a"
    assert sent(producer, "t", "b") is None
    assert polled(consumer) == b"b"
    with broker.faults.add("bump_epoch", topic="t"):
        assert sent(producer, "t", "c") is None
        assert polled(consumer) == b"c"
    assert any(error.error == "FENCED_LEADER_EPOCH" for error in broker.errors)
    consumer.close()


def test_events_say_what_they_lack(broker: Broker) -> None:
    for kind, told in (("move_coordinator", "needs group"), ("bump_epoch", "name the topic")):
        with pytest.raises(BadFault, match=told):
            broker.faults.add(kind)
    with pytest.raises(BadFault, match="there is no topic nowhere"):
        broker.faults.add("bump_epoch", topic="nowhere")
    assert broker.faults.list() == []
