"""`kstream groups` with share groups, of stock consumers, and what it leaves to consumer groups."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from confluent_kafka import AcknowledgeType, Consumer, Message, ShareConsumer

from kstream.cli.app import run
from kstream.cli.connection import Cluster
from kstream.cli.over_wire import NotOffered, OverWire
from kstream.cli.share_groups import ShareGroups
from kstream.cli.watching import GroupRow, Watcher
from kstream.errors import ErrorCode
from kstream.replay.errors import NoAnswer, Refused
from kstream.testing import Broker
from kstream.wire.messages.find_coordinator import Coordinator, FindCoordinatorRequest
from tests.queues.worker import connect

pytestmark = pytest.mark.clients

TIMEOUT_S = 60.0


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker(["jobs"]) as running:
        for number in range(5):
            running.produce("jobs", str(number))
        yield running


class Command:
    """`kstream groups` typed at a broker."""

    def __init__(self, broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
        self._bootstrap = broker.bootstrap_servers
        self._capsys = capsys
        self.err = ""

    def __call__(self, *words: str) -> int:
        code = run(["groups", *words, "--bootstrap", self._bootstrap])
        said = self._capsys.readouterr()
        self.out, self.err = said.out, said.err
        return code

    def json(self, *words: str) -> Any:
        assert self(*words, "--json") == 0, self.err
        return json.loads(self.out)


@pytest.fixture
def groups(broker: Broker, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(broker, capsys)


def worker(broker: Broker) -> ShareConsumer:
    """A member of the share group `workers` that has accepted a record."""
    consumer = ShareConsumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": "workers",
            "share.acknowledgement.mode": "explicit",
        }
    )
    consumer.subscribe(["jobs"])
    end_s = time.monotonic() + TIMEOUT_S
    got: list[Message] = []
    while not got:
        assert time.monotonic() < end_s
        got = list(consumer.poll(0.2))
    for index, message in enumerate(got):
        consumer.acknowledge(message, AcknowledgeType.RELEASE if index else AcknowledgeType.ACCEPT)
    consumer.commit_sync(TIMEOUT_S)
    return consumer


def consumed(broker: Broker, group: str) -> None:
    """A consumer group with a position."""
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": group, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["jobs"])
    assert consumer.poll(TIMEOUT_S) is not None
    consumer.commit(asynchronous=False)
    consumer.close()


def test_a_share_group_is_listed_described_moved_forgotten_and_deleted(
    broker: Broker, groups: Command
) -> None:
    code = groups("reset", "workers", "--to", "beginning", "--topic", "jobs", "--share")
    assert code == 0, groups.err
    consumed(broker, "billing")
    member = worker(broker)
    assert groups.json("list") == [
        {"group": "billing", "state": "empty", "protocol": "classic"},
        {"group": "workers", "state": "stable", "protocol": "share"},
    ]
    found = groups.json("describe", "workers")
    (row,) = found["positions"]
    assert (found["state"], found["protocol"], found["assignor"]) == ("stable", "share", "simple")
    assert (row["topic"], row["partition"], row["members"]) == ("jobs", 0, 1)
    before = row["position"]  # 0 or 1: as in Kafka, what is stored of the start follows a write later
    assert (before <= 1, row["lag"], found["lag"]) == (True, 4, 4)
    assert found["members"][0]["partitions"] == ["jobs-0"]
    assert groups("describe", "workers") == 0
    assert "workers: stable, share protocol, 1 members" in groups.err

    watcher = Watcher(Cluster(broker.bootstrap_servers))
    watched = {each.name: each for each in watcher.look(0)[1]}
    assert watched["workers"] == GroupRow("workers", "stable", 1, 4, 0.0)
    assert watched["billing"].state == "empty"
    broker.produce("jobs", "5")
    assert {each.name: each.lag for each in watcher.look(1)[1]}["workers"] == 5

    assert groups("reset", "workers", "--to", "end") == 4
    assert "cannot move workers" in groups.err
    member.close()
    dry = groups.json("reset", "workers", "--to", "-1", "--dry-run")
    assert dry == [{"topic": "jobs", "partition": 0, "before": before, "after": 5}]
    assert groups.json("describe", "workers")["positions"][0]["position"] == before
    assert groups("reset", "workers", "--to", "-1") == 0
    assert groups.json("describe", "workers")["lag"] == 1

    assert groups("forget", "workers", "--topic", "jobs") == 0
    assert groups.json("describe", "workers")["positions"] == []
    assert groups("forget", "workers", "--topic", "nowhere") == 4
    assert groups("delete", "workers") == 0
    assert [row["group"] for row in groups.json("list")] == ["billing"]
    assert groups("describe", "workers") == 4
    assert "there is no group workers" in groups.err


def test_a_consumer_group_forgets_topics_too(broker: Broker, groups: Command) -> None:
    consumed(broker, "billing")
    assert groups("forget", "billing", "--topic", "other") == 4
    assert "has no position in other" in groups.err
    assert groups("forget", "billing", "--topic", "jobs") == 0
    assert groups.json("describe", "billing")["positions"] == []


@pytest.mark.parametrize("protocol", ["SSL", "sasl_plaintext"])
def test_of_a_cluster_that_is_not_plaintext_share_groups_are_not_known_and_nothing_hangs(
    broker: Broker, protocol: str
) -> None:
    cluster = Cluster(broker.bootstrap_servers, [f"security.protocol={protocol}"])
    with closing(ShareGroups(cluster)) as shares:
        assert shares.rows() == []
        assert shares.find("workers") is None
        for ask in (lambda: shares.positions("workers"), lambda: shares.move("workers", {("jobs", 0): 0})):
            with pytest.raises(NotOffered, match=f"plaintext alone, not {protocol.lower()}"):
                ask()


def test_commands_say_that_share_groups_are_not_seen(
    broker: Broker, groups: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As with TLS, but for the client library, which has a plaintext server to talk to here.
    monkeypatch.setattr(OverWire, "refusal", "over plaintext alone, not ssl")
    consumed(broker, "billing")
    assert [row["group"] for row in groups.json("list")] == ["billing"]
    assert groups("list") == 0
    assert "share groups are not shown: over plaintext alone, not ssl" in groups.err
    assert groups("describe", "workers") == 4
    assert "no consumer group workers, and share groups are not seen: over plaintext" in groups.err
    for words in (
        ("reset", "workers", "--to", "end", "--topic", "jobs", "--share"),
        ("forget", "billing", "--topic", "jobs"),
    ):
        assert groups(*words) == 2
        assert groups.err == "kstream: over plaintext alone, not ssl\n"


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (
            ("reset", "new", "--to", "end", "--share"),
            2,
            "new has no positions yet: name the topics with --topic",
        ),
        (("reset", "new", "--to", "end", "--share", "--topic", "no"), 4, "Unknown topic"),
        (("reset", "new", "--to", "end", "--share", "--topic", "jobs", "-X", "a=1"), 2, "No such config"),
        (("reset", "new", "--to", "yesterday", "--share", "--topic", "jobs"), 2, "yesterday"),
        (("reset", "billing", "--to", "end", "--share", "--topic", "jobs"), 4, "cannot"),
        (("forget", "nobody", "--topic", "jobs"), 4, "nobody has no position in jobs"),
        (("forget", "billing"), 2, "--topic"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    broker: Broker, groups: Command, words: tuple[str, ...], code: int, reason: str
) -> None:
    consumed(broker, "billing")
    assert groups(*words) == code, groups.err
    assert reason in groups.err
    assert groups.err.count("\n") == 1


def test_a_coordinator_that_cannot_be_found_is_not_waited_for(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_wire: OverWire, group: str) -> Coordinator:
        return Coordinator(key=group, error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)

    monkeypatch.setattr(OverWire, "_find_coordinator", refused)
    with (
        closing(ShareGroups(Cluster(broker.bootstrap_servers))) as shares,
        pytest.raises(Refused, match="find the coordinator of workers: GROUP_AUTHORIZATION_FAILED"),
    ):
        shares.find("workers")


def test_a_coordinator_is_found_with_versions_that_know_one_key(
    broker: Broker, groups: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    client_of = OverWire._client

    def older(wire: OverWire, address: tuple[str, int]) -> Any:
        client, newest = client_of(wire, address)
        return client, {**newest, FindCoordinatorRequest.API_KEY: 3}

    monkeypatch.setattr(OverWire, "_client", older)
    consumed(broker, "billing")
    assert groups("forget", "billing", "--topic", "jobs") == 0, groups.err


def test_the_second_address_is_tried_and_nobody_there_is_said(broker: Broker) -> None:
    with connect(broker) as client:
        nobody = f"127.0.0.1:{client.socket.getsockname()[1]}"
    with closing(ShareGroups(Cluster(f"{nobody},{broker.bootstrap_servers}"))) as shares:
        assert shares.rows() == []
    with closing(ShareGroups(Cluster(nobody))) as shares, pytest.raises(NoAnswer, match="refused"):
        shares.find("workers")
