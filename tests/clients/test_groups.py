"""Stock consumers in groups: they share work, survive a member's death and the server's, and resume."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from compat.kstream_server import KstreamServer
from compat.members import MEMBERS, MemberProcess, python_member
from compat.story import Got
from kstream.testing.client import WireClient
from kstream.wire.messages.describe_groups import DescribedGroup, DescribeGroupsRequest
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.messages.list_groups import ListGroupsRequest
from tests.requests import create_topic, produce, values_batch

pytestmark = pytest.mark.clients

PARTITIONS = 4
RECORDS = 200
TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[KstreamServer]:
    with KstreamServer() as running:
        yield running
        assert running.is_running, running.log_tail()
        assert "Traceback" not in running.log_path.read_text(), running.log_tail()


@pytest.fixture(params=MEMBERS)
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def fill(server: KstreamServer, topic: str, *, first: int = 0) -> set[bytes]:
    """Produce records that are all different into every partition of a topic, created at first."""
    with WireClient(*server.address) as wire:
        if not first:
            create_topic(wire, topic, PARTITIONS)
        values = [b"%d" % number for number in range(first, first + RECORDS)]
        for partition in range(PARTITIONS):
            batch = values_batch(values[partition::PARTITIONS])
            assert produce(wire, topic, batch, partition=partition).error_code == 0
    return set(values)


@contextmanager
def joined(client: str, server: KstreamServer, topic: str) -> Iterator[MemberProcess]:
    member = python_member(client, server.bootstrap, topic, topic)
    try:
        yield member
        member.close()
    finally:
        member.kill()


def poll_until(members: list[MemberProcess], condition: Callable[[], bool], what: str) -> list[Got]:
    """Poll all members in turn; what they got until the condition holds."""
    deadline = time.monotonic() + TIMEOUT_S
    got: list[Got] = []
    while not condition():
        assert time.monotonic() < deadline, f"within {TIMEOUT_S:.0f} s: {what}"
        for member in members:
            got += member.poll()
    return got


def read(members: list[MemberProcess], values: set[bytes]) -> list[Got]:
    """Poll until every one of the values has come."""
    missing = set(values)
    got: list[Got] = []

    def all_here() -> bool:
        return not missing

    deadline = time.monotonic() + TIMEOUT_S
    while not all_here():
        assert time.monotonic() < deadline, f"{len(missing)} of {len(values)} records are missing"
        for member in members:
            new = member.poll()
            got += new
            missing -= {each.value for each in new}
    return got


def share(members: list[MemberProcess]) -> list[Got]:
    """Poll until the members have the partitions between them, each about as many."""

    def is_shared() -> bool:
        parts = [member.assigned() for member in members]
        counts = Counter(partition for part in parts for partition in part)
        least = PARTITIONS // len(members)
        return counts == dict.fromkeys(range(PARTITIONS), 1) and min(map(len, parts)) >= least

    return poll_until(members, is_shared, "the partitions are shared")


def test_members_share_and_take_over(server: KstreamServer, client: str) -> None:
    topic = f"shared-{client}"
    values = fill(server, topic)
    with ExitStack() as stack:
        first = stack.enter_context(joined(client, server, topic))
        assert len(read([first], values)) == RECORDS
        first.commit()
        second = stack.enter_context(joined(client, server, topic))
        assert share([first, second]) == []
        more = fill(server, topic, first=RECORDS)
        got = read([first, second], more)
        assert len(got) == RECORDS
        assert {each.value for each in got} == more
        first.commit()
        second.commit()
    with joined(client, server, topic) as third:
        assert share([third]) == []
        last = fill(server, topic, first=2 * RECORDS)
        assert {each.value for each in read([third], last)} == last


def test_others_take_over_from_a_member_that_dies(server: KstreamServer, client: str) -> None:
    topic = f"dying-{client}"
    values = fill(server, topic)
    with ExitStack() as stack:
        survivor = stack.enter_context(joined(client, server, topic))
        read([survivor], values)
        survivor.commit()
        other = stack.enter_context(joined(client, server, topic))
        share([survivor, other])
        other.kill()
        share([survivor])
        more = fill(server, topic, first=RECORDS)
        assert {each.value for each in read([survivor], more)} >= more


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_members_go_on_when_the_server_comes_back(client: str, how: str) -> None:
    topic = "outliving"
    with KstreamServer() as server, ExitStack() as stack:
        values = fill(server, topic)
        members = [stack.enter_context(joined(client, server, topic))]
        read(members, values)
        members[0].commit()
        members.append(stack.enter_context(joined(client, server, topic)))
        assert share(members) == []
        generation_members = described(server, topic)
        if how == "killed":
            server.kill()
            server.start()
        else:
            server.restart()
        more = fill(server, topic, first=RECORDS)
        again = read(members, more)
        assert {each.value for each in again} == more, "what was committed comes again"
        share(members)
        for member in members:
            member.commit()
        assert "Traceback" not in server.log_path.read_text(), server.log_tail()
        if client == "confluent-kafka":
            assert described(server, topic) == generation_members


@pytest.mark.parametrize("client", ["confluent-kafka", "kafka-python"])
def test_the_server_is_killed_in_the_middle_of_a_rebalance(client: str) -> None:
    """These clients join again when they are polled: until then the rebalance waits for the first one."""
    topic = "rebalancing"
    with KstreamServer() as server, ExitStack() as stack:
        values = fill(server, topic)  # first: kafka-python may assign nothing of a topic that is new to it
        first = stack.enter_context(joined(client, server, topic))
        read([first], values)
        first.commit()
        second = stack.enter_context(joined(client, server, topic))
        poll_until([second], lambda: group_of(server, topic).group_state == "PreparingRebalance", "it began")
        server.kill()
        server.start()
        more = fill(server, topic, first=RECORDS)
        again = read([first, second], more)
        assert {each.value for each in again} == more, "what was committed comes again"
        share([first, second])
        assert "Traceback" not in server.log_path.read_text(), server.log_tail()


def described(server: KstreamServer, group: str) -> set[str]:
    """The ids of a group's members."""
    with WireClient(*server.address) as wire:
        (listed,) = wire.request(ListGroupsRequest(), 4).groups
        assert listed.group_id == group
    return {member.member_id for member in group_of(server, group).members}


def group_of(server: KstreamServer, group: str) -> DescribedGroup:
    with WireClient(*server.address) as wire:
        wire.request(FindCoordinatorRequest(coordinator_keys=[group]), 4)
        (shown,) = wire.request(DescribeGroupsRequest(groups=[group]), 5).groups
        assert isinstance(shown, DescribedGroup)
        return shown
