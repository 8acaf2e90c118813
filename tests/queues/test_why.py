"""Why nothing arrives at a share group, inside and over the protocol, and that HTTP counts its members."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from kstream.broker.why_share import ShareFacts, ShareGroupFacts, share_findings
from kstream.cli.app import run
from kstream.testing import Broker
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.messages.share_group_heartbeat import ShareGroupHeartbeatRequest
from tests.queues.worker import ACCEPT, Worker, configure, connect


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker(["jobs"]) as running:
        with connect(running) as client:
            configure(client, "workers", share_auto_offset_reset="earliest", kstream_queue_enable="true")
        yield running


def join(broker: Broker, *topics: str) -> None:
    wanted = FindCoordinatorRequest(key_type=0, coordinator_keys=["workers"])
    request = ShareGroupHeartbeatRequest(
        group_id="workers", member_id="m", member_epoch=0, subscribed_topic_names=list(topics)
    )
    with connect(broker) as client:
        broker.wait_for(lambda: client.request(wanted, 6).coordinators[0].error_code == 0)
        assert client.request(request, 1).error_code == 0


def reasons(broker: Broker, topic: str | None = None) -> list[str]:
    return [line.partition(":")[0] for line in broker.why("workers", topic)]


def test_each_reason_as_it_comes(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    broker.produce("jobs", "0")
    broker.produce("jobs", "later", headers={"kstream-delay-ms": "60000"})
    broker.produce("jobs", "2")
    join(broker, "jobs")
    assert reasons(broker) == ["no_position"]
    assert reasons(broker, "other") == ["topic_missing"]
    with Worker(broker, "workers", "jobs", is_first=False) as worker:
        assert worker.fetch(1) == [(0, 1)]
        assert reasons(broker, "jobs") == ["in_flight", "scheduled", "arriving"]
        assert worker.fetch(1, settle={0: ACCEPT}) == [(2, 1)]
        assert worker.fetch(1, settle={2: ACCEPT}) == []
        assert reasons(broker, "jobs") == ["scheduled"]
        broker.clock.advance(seconds=60)
        assert worker.fetch(1) == [(1, 1)]
        assert worker.fetch(1, settle={1: ACCEPT}) == []
    # A minute without a heartbeat was too long for the member.
    assert reasons(broker, "jobs") == ["not_joined", "at_end"]
    assert run(["why", "workers", "--json", "--topic", "jobs", "--bootstrap", broker.bootstrap_servers]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["state"], [each["reason"] for each in told["findings"]]) == (
        "empty",
        ["not_joined", "at_end"],
    )


def test_what_only_a_window_or_a_transaction_can_say() -> None:
    key = ("t", 0)

    def found(known: ShareFacts, readers: int = 1, members: int = 1) -> list[str]:
        facts = ShareGroupFacts("g", "Stable", [{"t"}] * members, {key: readers}, {key: known})
        return [each.reason for each in share_findings(facts)]

    assert found(ShareFacts(None)) == ["no_position"]
    assert found(ShareFacts(5, 5)) == ["in_flight"]
    assert found(ShareFacts(5, 2, 0, is_full=True)) == ["in_flight", "window_full"]
    assert found(ShareFacts(5, 0, 0, is_behind_transaction=True)) == ["open_transaction"]
    assert found(ShareFacts(5), readers=0) == ["unassigned"]
    assert found(ShareFacts(5), members=0) == ["not_joined", "arriving"]
    facts = ShareGroupFacts("g", "Stable", [{"t"}], wanted_topics={"u"})
    assert [each.reason for each in share_findings(facts)] == ["not_subscribed"]
