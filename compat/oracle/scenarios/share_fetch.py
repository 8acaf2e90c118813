"""ShareFetch and ShareAcknowledge: what members get, and what they can do with it.

The groups of these scenarios have no members that a coordinator knows of: nobody asks for that. Their
share partitions are initialized as the coordinator would.
"""

from __future__ import annotations

from typing import Any

from compat.oracle.batches import batch
from compat.oracle.requests import NO_TOPIC, store
from compat.oracle.run import Run, Topic, scenario
from compat.oracle.share_requests import (
    ACCEPT,
    FINAL_EPOCH,
    GAP,
    INITIAL_EPOCH,
    RECORD_LIMIT,
    REJECT,
    RELEASE,
    RENEW,
    acknowledge,
    await_coordinator,
    initialize,
    read,
    share_fetch_of,
    summary,
)
from kstream.wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from kstream.wire.messages.read_share_group_state import StateBatch
from kstream.wire.messages.share_acknowledge import ShareAcknowledgeResponse
from kstream.wire.messages.share_fetch import ShareFetchResponse

VERSIONS = (1, 2)
_GROUP_RESOURCE = 32
_LEFT = StateBatch(first_offset=9, last_offset=9, delivery_count=1)
_PATIENT: dict[str, Any] = {"max_wait_ms": 500, "min_bytes": 1}


def begin(run: Run, suffix: str, partitions: int = 1, *, start: int = 0) -> tuple[str, Topic]:
    """A group and a topic whose share partitions can be fetched."""
    topic = run.topic(f"t{suffix}", partitions=partitions)
    group = run.name(f"g{suffix}")
    await_coordinator(run, group, topic, partitions)
    run.ask(initialize(group, topic, *range(partitions), start=start), 0)
    _warm(run, group, topic, partitions)
    return group, topic


def _warm(run: Run, group: str, topic: Topic, partitions: int = 1) -> None:
    """Wait until share partitions are loaded: Kafka answers meanwhile, as if there were nothing in them."""
    run.until(
        share_fetch_of(group, "warm", INITIAL_EPOCH, (topic, range(partitions))),
        2,
        lambda answer: sum(len(each.partitions) for each in answer.responses) == partitions,
    )


def configure(run: Run, group: str, **configs: str) -> None:
    altered = [
        AlterableConfig(name=name.replace("_", "."), config_operation=0, value=value)
        for name, value in configs.items()
    ]
    resource = AlterConfigsResource(resource_type=_GROUP_RESOURCE, resource_name=group, configs=altered)
    answer = run.ask(IncrementalAlterConfigsRequest(resources=[resource]), 1)
    if answer.responses[0].error_code:
        raise AssertionError(f"{group}: {answer.responses[0].error_message}")


def _sorted(response: ShareFetchResponse | ShareAcknowledgeResponse) -> None:
    """Kafka answers in the order of hash maps."""
    responses: list[Any] = response.responses
    responses.sort(key=lambda topic: topic.topic_id)
    for topic in responses:
        topic.partitions.sort(key=lambda partition: partition.partition_index)


def _records(count: int, prefix: bytes = b"r") -> bytes:
    return batch(*(prefix + b"%d" % number for number in range(count)))


class Member:
    """A member with its session; `call` and `ack` are recorded."""

    def __init__(
        self, run: Run, group: str, member_id: str, topic: Topic, *, version: int, **fields: Any
    ) -> None:
        self.run, self.group, self.member_id, self.topic = run, group, member_id, topic
        self.version = version
        self.fields = fields
        self.epoch = INITIAL_EPOCH

    def _next(self) -> int:
        epoch = self.epoch
        self.epoch += 1
        return epoch

    def fetch(self, note: str, *acks: tuple[int, int, list[int]], index: int = 0, **fields: Any) -> Any:
        """Fetch what is there, with patience: Kafka answers too early at times."""
        return self.look(note, *acks, index=index, **(_PATIENT | fields))

    def look(self, note: str, *acks: tuple[int, int, list[int]], index: int = 0, **fields: Any) -> Any:
        """Fetch where nothing is expected."""
        epoch = self._next()
        wanted = [(self.topic, [index])] if epoch == INITIAL_EPOCH else []
        request = share_fetch_of(
            self.group,
            self.member_id,
            epoch,
            *wanted,
            acks=[(self.topic, index, acks)] if acks else [],
            **(self.fields | fields),
        )
        return self.run.call(note, request, self.version, trim=_sorted)

    def ack(self, note: str, *acks: tuple[int, int, list[int]], index: int = 0, **fields: Any) -> Any:
        request = acknowledge(self.group, self.member_id, self._next(), (self.topic, index, acks), **fields)
        return self.run.call(note, request, self.version, trim=_sorted)

    def leave(self, note: str, *acks: tuple[int, int, list[int]], index: int = 0) -> Any:
        request = share_fetch_of(
            self.group,
            self.member_id,
            FINAL_EPOCH,
            acks=[(self.topic, index, acks)] if acks else [],
        )
        return self.run.call(note, request, self.version, trim=_sorted)


@scenario
def share_fetch_life(run: Run) -> None:
    """Records are fetched, accepted, released and rejected, and what is done with is done with."""
    for version in VERSIONS:
        group, topic = begin(run, f"v{version}")
        store(run, topic, _records(3), _records(4), _records(2))
        member = Member(run, group, "m", topic, version=version)
        member.fetch("first")
        member.look("nothing more")
        member.ack("accept three", (0, 2, [ACCEPT]))
        run.call(f"state after accepting, v{version}", read(group, topic), 0)
        member.ack("release, accept, reject, release", (3, 6, [RELEASE, ACCEPT, REJECT, RELEASE]))
        run.call(f"state after four kinds, v{version}", read(group, topic), 0)
        run.call(f"summary after four kinds, v{version}", summary(group, topic), 1)
        member.fetch("what was released")
        member.look("accept with the fetch", (3, 3, [ACCEPT]), (6, 8, [ACCEPT]))
        run.call(f"state at the end, v{version}", read(group, topic), 0)
        store(run, topic, _records(1, b"new"))
        member.fetch("a new one")
        member.leave("leave without saying")
        other = Member(run, group, "n", topic, version=version)
        run.until(
            read(group, topic),
            0,
            lambda answer: answer.results[0].partitions[0].state_batches[-1:] == [_LEFT],
        )
        other.fetch("what the first one left")
        other.leave("leave and accept", (9, 9, [ACCEPT]))
        run.call(f"state after both left, v{version}", read(group, topic), 0)
        run.call(f"summary after both left, v{version}", summary(group, topic), 1)


@scenario
def share_fetch_delivery_counts(run: Run) -> None:
    """A record that is released again and again, up to its limit, and comes back alone in the end."""
    group, topic = begin(run, "a")
    store(run, topic, _records(8))
    member = Member(run, group, "m", topic, version=2)
    deliveries = 0
    for number in range(1, 36):
        found = member.fetch(f"fetch {number}")
        for partition in found.responses[0].partitions:
            for acquired in partition.acquired_records:
                first, last = acquired.first_offset, acquired.last_offset
                member.ack(f"release {first} to {last}, fetch {number}", (first, last, [RELEASE]))
                deliveries += last - first + 1
        if deliveries == 8 * 5:
            break
    member.look("nothing is left")
    run.call("state at the end", read(group, topic), 0)
    run.call("summary at the end", summary(group, topic), 1)


@scenario
def share_fetch_delivery_limit(run: Run) -> None:
    """A group's own limit of deliveries."""
    group, topic = begin(run, "a")
    configure(run, group, share_delivery_count_limit="2")
    store(run, topic, _records(4))
    member = Member(run, group, "m", topic, version=2)
    member.fetch("once")
    member.ack("release all", (0, 3, [RELEASE]))
    member.fetch("twice")
    member.ack("release all again", (0, 3, [RELEASE]))
    member.look("never again")
    run.call("state at the end", read(group, topic), 0)


@scenario
def share_fetch_batches(run: Run) -> None:
    """How many records come, in which ranges: batch sizes and limits in both modes."""
    for mode in (0, RECORD_LIMIT):
        for batch_size, records_max in ((1, 500), (2, 500), (5, 500), (500, 1), (500, 4), (2, 5), (1, 12)):
            name = f"mode {mode}, size {batch_size}, max {records_max}"
            group, topic = begin(run, f"m{mode}s{batch_size}x{records_max}")
            store(run, topic, _records(3), _records(1), _records(5), _records(2), _records(1))
            member = Member(
                run,
                group,
                "m",
                topic,
                version=2,
                batch_size=batch_size,
                max_records=records_max,
                share_acquire_mode=mode,
            )
            _fetch_all(member, name, 12)
            member.ack(f"{name}, release some", (1, 1, [RELEASE]), (3, 6, [RELEASE]), (8, 8, [RELEASE]))
            _fetch_all(member, f"{name}, again", 6)


def _fetch_all(member: Member, note: str, count: int) -> None:
    """Fetch until so many records were acquired."""
    number = 0
    while count > 0:
        number += 1
        for partition in member.fetch(f"{note}, fetch {number}").responses[0].partitions:
            for acquired in partition.acquired_records:
                count -= acquired.last_offset - acquired.first_offset + 1


@scenario
def share_fetch_two_members(run: Run) -> None:
    """Two members of one partition never have the same record."""
    group, topic = begin(run, "a")
    store(run, topic, _records(3), _records(3), _records(3))
    one = Member(run, group, "one", topic, version=2, max_records=3)
    two = Member(run, group, "two", topic, version=2, max_records=3)
    one.fetch("one")
    two.fetch("two")
    one.fetch("one, the rest")
    two.look("two, nothing")
    two.ack("of the other", (0, 2, [ACCEPT]))
    two.ack("of both", (2, 3, [ACCEPT]))
    two.ack("own", (3, 5, [ACCEPT]))
    two.ack("own again", (3, 5, [ACCEPT]))
    one.leave("one leaves")
    run.until(read(group, topic), 0, lambda answer: len(answer.results[0].partitions[0].state_batches) > 1)
    two.fetch("two, what one had")
    two.fetch("two, what one had besides")
    two.ack("all", (0, 2, [ACCEPT]), (6, 8, [ACCEPT]))
    run.call("state at the end", read(group, topic), 0)


@scenario
def share_acknowledge_wrong(run: Run) -> None:
    """Acknowledgements that make no sense, or come at the wrong time."""
    for version in VERSIONS:
        group, topic = begin(run, f"v{version}")
        store(run, topic, _records(5), _records(5))
        member = Member(run, group, "m", topic, version=version)
        member.fetch("all", batch_size=1)
        for note, *acks in (
            ("backwards", (3, 2, [ACCEPT])),
            ("out of order", (5, 5, [ACCEPT]), (2, 2, [ACCEPT])),
            ("no types", (0, 1, [])),
            ("too many types", (0, 1, [ACCEPT, ACCEPT, ACCEPT])),
            ("too few types", (0, 2, [ACCEPT, ACCEPT])),
            ("type 5", (0, 1, [5])),
            ("type -1", (0, 1, [-1])),
            ("renew without saying so", (0, 1, [RENEW])),
            ("behind the end", (12, 13, [ACCEPT])),
            ("over the end", (8, 12, [ACCEPT])),
            ("negative", (-5, -2, [ACCEPT])),
            ("from below", (-5, 2, [ACCEPT])),
            ("nothing",),
        ):
            member.ack(note, *acks)
        member.ack("over two batches", (3, 6, [ACCEPT]))
        member.ack("a part twice", (0, 0, [ACCEPT]), (0, 1, [ACCEPT]))
        member.ack("accept one of it", (1, 1, [ACCEPT]))
        member.ack("all of it", (0, 4, [ACCEPT]))
        member.ack("gap", (0, 0, [GAP]))
        member.ack("below the start", (0, 0, [ACCEPT]))
        member.ack("over the start", (0, 2, [ACCEPT]))
        run.call(f"state, v{version}", read(group, topic), 0)
        member.look("wrong with a fetch", (7, 7, [ACCEPT]), (0, 1, [7]))
        member.look("not acquired with a fetch", (3, 3, [ACCEPT]))
        run.call(
            f"partition 1, v{version}",
            acknowledge(group, "m", member._next(), (topic, 1, [(0, 1, [ACCEPT])])),
            version,
        )
        run.call(
            f"unknown topic, v{version}",
            acknowledge(group, "m", member._next(), (NO_TOPIC, 0, [(0, 1, [ACCEPT])])),
            version,
        )
        run.call(f"no topics, v{version}", acknowledge(group, "m", member._next()), version)


@scenario
def share_sessions(run: Run) -> None:
    """Epochs in order and out of order; what a session says again and what not."""
    for version in VERSIONS:
        group, topic = begin(run, f"v{version}", partitions=3)
        other = begin(run, f"other-v{version}")[1]
        run.ask(initialize(group, other), 0)
        _warm(run, group, other)

        def call(note: str, epoch: int, *args: Any, **fields: Any) -> None:
            request = share_fetch_of(group, "m", epoch, *args, **fields)  # noqa: B023
            run.call(note, request, version, trim=_sorted)  # noqa: B023

        call("no session yet", 1)
        call("no session to end", FINAL_EPOCH)
        call("epoch -2", -2)
        run.call("ack without session", acknowledge(group, "m", 1, (topic, 0, [(0, 0, [ACCEPT])])), version)
        call("acknowledgement with the first", 0, acks=[(topic, 0, [(0, 0, [ACCEPT])])])
        call("first, nothing wanted", 0)
        call("first, three partitions", 0, (topic, [0, 1, 2]))
        call("epoch 3 in place of 1", 3)
        call("epoch 1", 1)
        call("epoch 1 again", 1)
        store(run, topic, _records(1), index=1)
        call("one has something", 2)
        call("one more topic", 3, (other, [0]))
        store(run, topic, _records(1), index=0)
        store(run, other, _records(1))
        call("forget one", 4, forgotten=[(topic, [0])])
        call("nothing of the forgotten", 5)
        call("it comes back", 6, (topic, [0]))
        call("unknown topic", 7, (NO_TOPIC, [0]))
        call("still unknown", 8)
        call("no such partition", 9, (topic, [7]), forgotten=[(NO_TOPIC, [0])])
        call("still no such partition", 10)
        run.call("ack with an old epoch", acknowledge(group, "m", 5, (topic, 0, [(0, 0, [ACCEPT])])), version)
        run.call("ack with epoch 0", acknowledge(group, "m", 0, (topic, 0, [(0, 0, [ACCEPT])])), version)
        run.call("ack in order", acknowledge(group, "m", 11, (topic, 0, [(0, 0, [ACCEPT])])), version)
        call("start over", 0, (topic, [0, 1]))
        call("the new one", 1)
        run.call("ack ends it", acknowledge(group, "m", -1, (topic, 1, [(0, 0, [ACCEPT])])), version)
        call("ended", 2)
        for note, group_id, member_id in (
            ("no group", None, "m"),
            ("empty group", "", "m"),
            ("no member", group, None),
            ("empty member", group, ""),
            ("long member", group, "m" * 37),
        ):
            run.call(note, share_fetch_of(group_id, member_id, 0, (topic, [0])), version)  # type: ignore[arg-type]
            run.call(note, acknowledge(group_id, member_id, 1, (topic, 0, [(0, 0, [ACCEPT])])), version)


@scenario
def share_fetch_limits(run: Run) -> None:
    """Bytes, records and a fetch that asks for none; partitions that were never initialized."""
    group, topic = begin(run, "a")
    store(run, topic, _records(2), batch(b"x" * 3000), batch(b"y" * 3000))
    member = Member(run, group, "m", topic, version=2)
    member.look("no records", max_records=0)
    member.look("no bytes", max_bytes=0)
    member.fetch("one byte", max_bytes=1)
    member.fetch("1000 bytes", max_bytes=1000)
    member.look("negative bytes", max_bytes=-1)
    member.look("negative records", max_records=-1)
    member.fetch("the rest")
    never = run.topic("never")
    await_coordinator(run, group, never)
    request = share_fetch_of(group, "n", 0, (never, [0]), max_wait_ms=300, min_bytes=1)
    run.call("never initialized", request, 2, trim=_sorted)


@scenario
def share_fetch_renews(run: Run) -> None:
    """Renewing locks, by acknowledgement and by fetch."""
    group, topic = begin(run, "a")
    store(run, topic, _records(3), _records(3))
    member = Member(run, group, "m", topic, version=2)
    member.fetch("all")
    member.ack("renew some", (1, 2, [RENEW]), is_renew_ack=True)
    member.ack("renew and accept", (0, 2, [ACCEPT, RENEW, RELEASE]), is_renew_ack=True)
    nothing = {"max_bytes": 0, "max_records": 0}
    member.look("renew by fetch", (1, 1, [RENEW]), (3, 5, [RENEW]), is_renew_ack=True, **nothing)
    member.look("renew with a fetch of records", (1, 1, [RENEW]), is_renew_ack=True)
    member.epoch -= 1
    member.look("renew what is not ours", (2, 2, [RENEW]), is_renew_ack=True, **nothing)
    run.call("state", read(group, topic), 0)
    member.ack("accept", (3, 5, [ACCEPT]))


@scenario
def share_fetch_renewing_switched_off(run: Run) -> None:
    """A group whose members may not renew locks."""
    group, topic = begin(run, "a")
    configure(run, group, share_renew_acknowledge_enable="false")
    store(run, topic, _records(3))
    member = Member(run, group, "m", topic, version=2)
    member.fetch("all")
    member.ack("renew", (0, 2, [RENEW]), is_renew_ack=True)
    member.ack("renew and accept", (0, 2, [ACCEPT, RENEW, RELEASE]), is_renew_ack=True)
    member.ack("accept", (0, 2, [ACCEPT]))


@scenario
def share_fetch_first_offset(run: Run) -> None:
    """Where a group begins that never was there."""
    topic = run.topic("t")
    store(run, topic, _records(3))
    for reset in ("latest", "earliest", "by_duration:P20000D"):
        name = reset.partition(":")[0].replace("_", "-")
        group = run.name(name)
        await_coordinator(run, group, topic)
        configure(run, group, share_auto_offset_reset=reset)
        run.ask(initialize(group, topic, start=-1), 0)
        member = Member(run, group, "m", topic, version=2)
        _warm(run, group, topic)
        run.call(f"{name}", summary(group, topic), 1)
        member.look(f"{name}, first", **({} if reset == "latest" else _PATIENT))
        store(run, topic, _records(1, b"n"))
        member.fetch(f"{name}, second")
